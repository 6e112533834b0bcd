"""What the experiments in tabular worlds share: ratios, features of pairs, single repetitions."""

from __future__ import annotations

import numpy as np
import torch

from surefoot.objectives import Evidence, Objective
from surefoot.scorers.head import Problem
from surefoot.statistics import Estimate, mean
from surefoot.statistics.estimate import Scope
from surefoot.worlds.linear_fits import LinearProblems, newton

COVERS = "worlds and draws of data"


def ratio(above: list[np.ndarray], below: list[np.ndarray]) -> Estimate:
    """Ratio of two means over worlds and draws, by its linearisation in the worlds' means."""
    a, b = (np.array([values.mean() for values in some]) for some in (above, below))
    share = a.mean() / b.mean()
    values = share + (a - share * b) / b.mean()
    if np.ptp(values) < 1e-12:
        return Scope(len(values), COVERS, 0.95).refused(share, "the same in every world")
    return mean(values, covers=COVERS)


def written(found: Estimate) -> str:
    """A ratio with its interval, or that there is nothing to tell apart."""
    return "the same" if found.low is None and found.estimate == 1 else str(found)


def pair_features(f: np.ndarray, wedge: bool = True) -> np.ndarray:
    """(X, A, A, D') of pairs: differences of features (X, A, D), entries of f_a f_b' - f_b f_a'."""
    first, second = f[:, :, None, :], f[:, None, :, :]
    if not wedge:
        return first - second
    one, other = np.triu_indices(f.shape[-1], 1)
    skew = first[..., one] * second[..., other] - first[..., other] * second[..., one]
    return np.concatenate([first - second, skew], axis=-1)


def chance(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probabilities (N, R) from features (N, R, D) and weights (R, D)."""
    return 1 / (1 + np.exp(-(x * weights).sum(-1)))


def as_problem(x: torch.Tensor, evidence: Evidence, objective: Objective) -> Problem:
    """The problem as surefoot's linear heads have it; `fit_coefficient` chooses its own ridge."""
    rows = len(evidence.label)
    return Problem(
        features=torch.stack([x, torch.zeros_like(x)], dim=1),
        objective=objective,
        evidence=evidence,
        mass=torch.ones(rows, 1, dtype=torch.float64),
        l2=torch.ones(1, dtype=torch.float64),
        seeds=(0,),
    )


def solve_between(
    first: LinearProblems,
    second: LinearProblems,
    share: torch.Tensor,
    start: torch.Tensor,
    tolerance: float = 1e-10,
) -> torch.Tensor:
    """Weights (R, D) at the minima of (1 - share) first + share second, with a share (R,) each.

    A control variate's loss is linear in its coefficient: between the coefficients 0 and 1 lie
    those of R repetitions.
    """

    def values(weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        (v0, g0, h0), (v1, g1, h1) = first.values(weights), second.values(weights)
        c = share[:, None]
        return v0 + share * (v1 - v0), g0 + c * (g1 - g0), h0 + c[:, None] * (h1 - h0)

    return newton(values, start, tolerance)
