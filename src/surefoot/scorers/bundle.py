"""One convex problem with kinks, to a proven gap: a bundle method.

Regularised risk minimisation by cutting planes (Teo et al., JMLR 2010), with the line search
between the best point and the model's minimum of Franc and Sonnenburg (OCAS, ICML 2008). For
hinge losses, CVaR and whatever else is convex and not smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import clarabel
import numpy as np
import numpy.typing as npt
from scipy import sparse

Vector = npt.NDArray[np.float64]
#: From parameters (D,) to the risk without the ridge penalty and a subgradient (D,).
Oracle = Callable[[Vector], tuple[float, Vector]]

PLANES = 400  # kept at most: those with weight, then the newest
STEPS = (0.02, 0.1, 0.3, 1.0)  # of the way from the best point to the model's minimum


@dataclass(frozen=True)
class Minimum:
    """Where the search ended: parameters (D,), value, proven gap, number of oracle calls."""

    parameters: Vector
    value: float
    gap: float
    calls: int


def minimise(
    oracle: Oracle, start: Vector, l2: float, tolerance: float, max_iterations: int = 400
) -> Minimum:
    """Minimise risk(w) + l2/2 |w|^2 for a convex risk, from `start` (D,).

    Returns the best point seen and a lower bound on the minimum, as a gap.
    """
    slopes: list[Vector] = []
    offsets: list[float] = []
    best, best_value, lower = start, np.inf, -np.inf
    calls = 0

    def look(w: Vector) -> float:
        """Objective at w; its cutting plane joins the model."""
        nonlocal best, best_value, calls
        calls += 1
        risk, slope = oracle(w)
        slopes.append(slope)
        offsets.append(risk - float(slope @ w))
        value = risk + l2 / 2 * float(w @ w)
        if value < best_value:
            best, best_value = w, value
        return value

    look(start)
    for _ in range(max_iterations):
        planes = np.stack(slopes)  # (T, D)
        weights, bound = _model_minimum(planes, np.array(offsets), l2)
        lower = max(lower, bound)
        if best_value - lower <= tolerance:
            break
        if len(slopes) > PLANES:
            keep = np.argsort(-(weights > 1e-9).astype(float) * 1e6 - np.arange(len(weights)))
            keep = np.sort(keep[: PLANES // 2])
            slopes, offsets = [slopes[i] for i in keep], [offsets[i] for i in keep]
        target = -(weights @ planes) / l2
        centre = best
        for step in STEPS:  # the last one is the model's minimum itself
            before = best_value
            if look(centre + step * (target - centre)) > before and step < 1.0:
                look(target)
                break
    return Minimum(best, best_value, max(best_value - lower, 0.0), calls)


def _model_minimum(planes: Vector, offsets: Vector, l2: float) -> tuple[Vector, float]:
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
