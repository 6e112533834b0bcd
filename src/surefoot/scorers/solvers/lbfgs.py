"""Many smooth problems at once: limited-memory BFGS with one line search per problem.

Liu and Nocedal (1989), batched over K independent problems that share their data, and started
from a curvature bound that all of them share. The problems are strongly convex with a known
modulus, so a small gradient is a certificate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

#: From parameters (D, k) of the problems with these indices (k,) to values (k,), gradients (D, k).
Oracle = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

MEMORY = 20
SUFFICIENT = 1e-4  # Armijo's constant
HALVINGS, ITERATIONS = 20, 1000  # at most
PATIENCE = 10  # steps in which a problem must fall by more than the tolerance


class Minima(NamedTuple):
    """Where the search ended."""

    parameters: Tensor  #: (D, K)
    values: Tensor  #: (K,) objective there
    gaps: Tensor  #: (K,) proven distance of each value from its minimum; infinite: none is proven


def minimise(
    oracle: Oracle,
    start: Tensor,
    modulus: Tensor,
    precondition: Callable[[Tensor, Tensor], Tensor],
    tolerance: float,
) -> Minima:
    """Minimise K problems from `start` (D, K), each until its gap is within the tolerance.

    Args:
        oracle: values and gradients.
        start: (D, K) first parameters.
        modulus: (K,) strong convexity of each problem: the gap is at most |g|^2 / (2 modulus).
        precondition: from gradients (D, k) and problem indices (k,) to steps (D, k), a fixed
            approximation of the inverse Hessian.
        tolerance: of the gaps.
    """
    parameters = start.clone()
    everything = torch.arange(start.shape[1], device=start.device)
    values, gradients = oracle(parameters, everything)
    history: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=MEMORY)
    running = everything
    landmark, patience = values.clone(), 0
    for _ in range(ITERATIONS):
        gaps = gradients.square().sum(0) / (2 * modulus)
        running = running[gaps[running] > tolerance]
        if len(running) == 0:
            break
        g = gradients[:, running]
        direction = -_two_loops(g, history, running, precondition)
        uphill = (g * direction).sum(0) >= 0  # memory spoilt by kinks: forget it for this step
        direction[:, uphill] = -precondition(g[:, uphill], running[uphill])
        new, new_values, new_gradients, moved = _line_search(
            oracle, parameters[:, running], values[running], g, direction, running
        )
        s, y = torch.zeros_like(parameters), torch.zeros_like(parameters)
        s[:, running] = new - parameters[:, running]
        y[:, running] = new_gradients - g
        curvature = (s * y).sum(0)
        useful = curvature > 1e-12 * s.norm(dim=0) * y.norm(dim=0)
        history.append((s, y, torch.where(useful, 1 / curvature, 0.0)))
        parameters[:, running], values[running] = new, new_values
        gradients[:, running] = new_gradients
        running = running[moved]
        patience += 1
        if patience == PATIENCE:  # kinks: no gradient will ever be small
            running = running[landmark[running] - values[running] > tolerance]
            landmark, patience = values.clone(), 0
    return Minima(parameters, values, gradients.square().sum(0) / (2 * modulus))


def _two_loops(
    g: Tensor,
    history: deque[tuple[Tensor, Tensor, Tensor]],
    running: Tensor,
    precondition: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    recent = [(s[:, running], y[:, running], rho[running]) for s, y, rho in history]
    q, alphas = g.clone(), []
    for s, y, rho in reversed(recent):
        alphas.append(rho * (s * q).sum(0))
        q -= alphas[-1] * y
    q = precondition(q, running)
    for (s, y, rho), alpha in zip(recent, reversed(alphas), strict=True):
        q += (alpha - rho * (y * q).sum(0)) * s
    return q


def _line_search(
    oracle: Oracle, start: Tensor, values: Tensor, g: Tensor, direction: Tensor, problems: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Halve each problem's step until it descends enough; problems that cannot stay put."""
    slope = (g * direction).sum(0)
    end, end_values, end_gradients = start.clone(), values.clone(), g.clone()
    searching = torch.arange(len(problems), device=problems.device)
    step = torch.ones_like(values)
    for _ in range(HALVINGS):
        trial = start[:, searching] + step[searching] * direction[:, searching]
        trial_values, trial_gradients = oracle(trial, problems[searching])
        target = values[searching] + SUFFICIENT * step[searching] * slope[searching]
        good = trial_values <= target
        done = searching[good]
        end[:, done], end_values[done] = trial[:, good], trial_values[good]
        end_gradients[:, done] = trial_gradients[:, good]
        searching = searching[~good]
        if len(searching) == 0:
            break
        step[searching] /= 2
    moved = torch.ones_like(values, dtype=torch.bool)
    moved[searching] = False
    return end, end_values, end_gradients, moved
