"""Convex problems with kinks, to a proven gap: a bundle method, for K of them in lock-step.

Regularised risk minimisation by cutting planes (Teo et al., JMLR 2010), with the line search
between the best point and the model's minimum of Franc and Sonnenburg (OCAS, ICML 2008). For
hinge losses, CVaR and whatever else is convex and not smooth.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import islice
from typing import NamedTuple

import clarabel
import numpy as np
import numpy.typing as npt
from scipy import sparse

from surefoot.arrays import Floats

#: From parameters (D, k) of the problems with these indices (k,) to their risks (k,) without the
#: ridge penalty and subgradients (D, k).
Oracle = Callable[[Floats, npt.NDArray[np.intp]], tuple[Floats, Floats]]
#: Yields a point (D,), is sent the risk there and a subgradient (D,), and returns where it ended.
Search = Generator[Floats, tuple[float, Floats], "Minimum"]

PLANES = 400  # kept at most: those with weight, then the newest
STEPS = (0.02, 0.1, 0.3, 1.0)  # of the way from the best point to the model's minimum
TOGETHER = 64  # searches that run at once: each holds its planes


class Minimum(NamedTuple):
    """Where the search ended."""

    parameters: Floats  #: (D,) the best point seen
    value: float  #: objective there
    gap: float  #: proven distance from the minimum
    points: Floats  #: (T, D) where the subgradients that balance the ridge at the minimum are of
    shares: Floats  #: (T,) of these in that balance, summing to 1


def minimise(
    oracle: Oracle, start: Floats, l2: Floats, tolerance: float, max_iterations: int = 400
) -> list[Minimum]:
    """Minimise risk_k(w) + l2_k / 2 |w|^2 for K convex risks, each from `start` (D,).

    Every search goes its own way; each round asks the oracle once, for a point of every search that
    is running. Returns the best points seen and lower bounds on the minima, as gaps.
    """
    waiting = enumerate([_search(start, float(ridge), tolerance, max_iterations) for ridge in l2])
    running: dict[int, Search] = {}
    points: dict[int, Floats] = {}
    ends: dict[int, Minimum] = {}
    while len(ends) < len(l2):
        for k, search in islice(waiting, TOGETHER - len(running)):
            running[k], points[k] = search, next(search)
        asked = list(running)
        risks, slopes = oracle(np.stack([points[k] for k in asked], axis=1), np.array(asked))
        for k, risk, slope in zip(asked, risks.tolist(), slopes.T.copy(), strict=True):
            try:
                points[k] = running[k].send((risk, slope))
            except StopIteration as end:
                ends[k] = end.value
                del running[k], points[k]
    return [ends[k] for k in range(len(l2))]


def _search(start: Floats, l2: float, tolerance: float, max_iterations: int) -> Search:
    """The search of one problem from `start` (D,)."""
    points: list[Floats] = []
    slopes: list[Floats] = []
    offsets: list[float] = []
    best, best_value, lower = start, np.inf, -np.inf

    def look(w: Floats) -> Generator[Floats, tuple[float, Floats], float]:
        """Objective at w; its cutting plane joins the model."""
        nonlocal best, best_value
        risk, slope = yield w
        points.append(w)
        slopes.append(slope)
        offsets.append(risk - float(slope @ w))
        value = risk + l2 / 2 * float(w @ w)
        if value < best_value:
            best, best_value = w, value
        return value

    yield from look(start)
    shares = np.ones(1)
    for iteration in range(max_iterations + 1):
        planes = np.stack(slopes)  # (T, D)
        shares, bound = _model_minimum(planes, np.array(offsets), l2)
        lower = max(lower, bound)
        if best_value - lower <= tolerance or iteration == max_iterations:
            break
        target = -(shares @ planes) / l2
        if len(slopes) > PLANES:
            kept = _worth_keeping(shares)
            points, slopes, offsets = (
                [kept_of[i] for i in kept] for kept_of in (points, slopes, offsets)
            )
        centre = best
        for step in STEPS:  # the last one is the model's minimum itself
            before = best_value
            value = yield from look(centre + step * (target - centre))
            if value > before and step < 1.0:
                yield from look(target)
                break
    gap = max(best_value - lower, 0.0)
    used = np.flatnonzero(shares > 1e-9)
    weights = shares[used] / shares[used].sum()
    return Minimum(best, best_value, gap, np.stack(points)[used], weights)


def _worth_keeping(shares: Floats) -> npt.NDArray[np.intp]:
    """Half of the planes: those with a share first, then the newest."""
    order = np.lexsort((-np.arange(len(shares)), shares <= 1e-9))
    return np.sort(order[: PLANES // 2])


def _model_minimum(planes: Floats, offsets: Floats, l2: float) -> tuple[Floats, float]:
    """Weights (T,) of the planes at the minimum of the model, and a lower bound from them.

    The dual: maximise offsets.a - |planes' a|^2 / (2 l2) over the simplex.
    """
    count = len(offsets)
    gram = planes @ planes.T / l2
    scale = max(float(np.abs(gram).max()), 1e-12)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    solution = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(gram / scale)),
        -offsets / scale,
        sparse.csc_matrix(np.vstack([np.ones((1, count)), -np.eye(count)])),
        np.concatenate([[1.0], np.zeros(count)]),
        [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(count)],
        settings,
    ).solve()
    weights = np.clip(np.asarray(solution.x), 0, None)
    weights = weights / weights.sum()  # feasible, so that the bound holds whatever the accuracy
    return weights, float(offsets @ weights - weights @ gram @ weights / 2)
