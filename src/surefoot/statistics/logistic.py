"""Logistic regression of preferences, with errors that are robust to dependence inside clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

Floats = npt.NDArray[np.float64]

_STEPS = 50
_RIDGE = 1e-8


@dataclass(frozen=True)
class LogisticFit:
    """Coefficients of a logistic regression.

    Attributes:
        coefficients: (K,).
        errors: (K,) of these, by the jackknife over clusters.
        freedom: degrees of freedom of the errors, (K,).
        replicates: (C, K) coefficients without each cluster.
    """

    coefficients: Floats
    errors: Floats
    freedom: Floats
    replicates: Floats


def logistic(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> LogisticFit:
    """Regress soft labels on features, without an intercept that the features do not hold.

    Errors are those of the jackknife over clusters: each cluster is left out by one Newton step
    from the whole fit (CR3: Bell and McCaffrey 2002; for a generalised linear model, MacKinnon,
    Nielsen and Webb, 2023), which errs to the wide side where clusters are few. Degrees of freedom
    are the effective number of clusters in each coefficient, less one.

    Args:
        features: (N, K).
        labels: (N,) P(first preferred), in [0, 1].
        clusters: (N,) what rows share; None: rows are independent.
        weights: (N,) of rows, not negative; None: equal.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    ids = np.arange(len(y)) if clusters is None else np.asarray(clusters)
    _, unit = np.unique(ids, return_inverse=True)
    beta = fit(x, y, w)
    p = expit(x @ beta)
    score = x * (w * (y - p))[:, None]
    bread = (x * (w * p * (1 - p))[:, None]).T @ x + _RIDGE * np.eye(x.shape[1])
    count = int(unit.max(initial=-1)) + 1
    sums = np.zeros((count, x.shape[1]))
    np.add.at(sums, unit, score)
    parts = np.zeros((count, x.shape[1], x.shape[1]))
    np.add.at(parts, unit, (x * (w * p * (1 - p))[:, None])[:, :, None] * x[:, None, :])
    # Without cluster c the score at beta is -s_c and the bread B - B_c.
    moves = np.linalg.solve(
        bread[None] - parts + _RIDGE * np.trace(bread) * np.eye(x.shape[1]), sums[:, :, None]
    )[:, :, 0]
    squares = moves**2
    spread = squares.sum(0)
    effective = spread**2 / np.maximum((squares**2).sum(0), 1e-300)
    freedom = np.maximum(np.minimum(3 * effective, count) - 1, 1.0)
    errors = np.sqrt(spread * max(count - 1, 1) / max(count, 1))
    return LogisticFit(beta, errors, freedom, beta - moves)


def fit(x: Floats, y: Floats, w: Floats, offset: Floats | float = 0.0) -> Floats:
    """Coefficients (K,) by Newton's method with halved steps; the faintest ridge bounds them."""
    beta = np.zeros(x.shape[1])
    ridge = _RIDGE * max(float(w.sum()), 1.0)

    def loss(at: Floats) -> float:
        m = x @ at + offset
        surprise = y * log_expit(m) + (1 - y) * log_expit(-m)
        return ridge * float(at @ at) - float(w @ surprise)

    value = loss(beta)
    for _ in range(_STEPS):
        p = expit(x @ beta + offset)
        gradient = x.T @ (w * (p - y)) + 2 * ridge * beta
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + 2 * ridge * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (smaller := loss(beta - size * step)) > value and size > 1e-6:
            size /= 2
        if value - smaller < 1e-10 * (1 + abs(value)):
            break
        beta, value = beta - size * step, smaller
    return beta
