"""Coefficients of a regression, with errors that are robust to dependence inside clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import ArrayLike, Floats

_RIDGE = 1e-8
#: Clusters that are left out at once, each with a matrix of its own.
_BLOCK = 4096


@dataclass(frozen=True)
class RegressionFit:
    """Coefficients of a regression."""

    coefficients: Floats  #: (K,)
    errors: Floats  #: (K,) of these, by the jackknife over clusters
    freedom: Floats  #: degrees of freedom of the errors, (K,)
    replicates: Floats  #: (C, K) coefficients without each cluster


def linear(
    features: ArrayLike,
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> RegressionFit:
    """Least squares, without an intercept that the features do not hold.

    Args:
        features: (N, K).
        values: (N,).
        clusters: (N,) what rows share; None: rows are independent.
        weights: (N,) of rows, not negative; None: equal.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(values, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    gram = (x * w[:, None]).T @ x
    faint = _RIDGE * max(float(np.trace(gram)), 1e-300) * np.eye(x.shape[1])
    beta: Floats = np.linalg.solve(gram + faint, x.T @ (w * y)).astype(np.float64)
    return jackknifed(beta, x, w * (y - x @ beta), w, clusters)


def jackknifed(
    beta: Floats, x: Floats, residuals: Floats, curvature: Floats, clusters: ArrayLike | None
) -> RegressionFit:
    """Errors by the jackknife over clusters of coefficients that solve x' residuals = 0.

    Each cluster is left out by one Newton step from the whole fit, which is exact for least squares
    (CR3: Bell and McCaffrey 2002; for a generalised linear model, MacKinnon, Nielsen and Webb,
    2023). It errs to the wide side where clusters are few. Degrees of freedom are the effective
    number of clusters in each coefficient, less one.

    Args:
        beta: (K,) coefficients.
        x: (N, K) features.
        residuals: (N,) weight times what is left of the values.
        curvature: (N,) by which a row resists a change of its fitted value.
        clusters: (N,) what rows share; None: rows are independent.
    """
    ids = np.arange(len(x)) if clusters is None else np.asarray(clusters)
    _, unit = np.unique(ids, return_inverse=True)
    resisting = x * curvature[:, None]
    width, count = x.shape[1], int(unit.max(initial=-1)) + 1
    bread = resisting.T @ x
    faint = _RIDGE * max(float(np.trace(bread)), 1e-290) * np.eye(width)
    scores, moves = x * residuals[:, None], np.empty((count, width))
    order = np.argsort(unit, kind="stable")
    for first in range(0, count, _BLOCK):
        some = min(count - first, _BLOCK)
        start, end = np.searchsorted(unit, [first, first + some], sorter=order)
        rows = order[start:end]
        at = unit[rows] - first
        sums, parts = np.zeros((some, width)), np.zeros((some, width, width))
        np.add.at(sums, at, scores[rows])
        np.add.at(parts, at, resisting[rows, :, None] * x[rows, None, :])
        # Without cluster c the score at beta is -s_c and the bread B - B_c.
        found = np.linalg.solve(bread + faint - parts, sums[..., None])
        moves[first : first + some] = found[..., 0]
    squares = moves**2
    spread = squares.sum(0)
    effective = spread**2 / np.maximum((squares**2).sum(0), 1e-300)
    freedom = np.maximum(np.minimum(3 * effective, count) - 1, 1.0)
    errors = np.sqrt(spread * max(count - 1, 1) / max(count, 1))
    return RegressionFit(beta, errors, freedom, beta - moves)
