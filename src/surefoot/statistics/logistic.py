"""Logistic regression of preferences, with errors that are robust to dependence inside clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.statistics.dependence import in_one_unit
from surefoot.statistics.regression import RegressionFit, jackknifed, linear

_STEPS = 50
_RIDGE = 1e-8
#: A coefficient from which on errors at the fit may mislead.
_STEEP = 1.0
#: From the strongest, whose fits begin those of the next.
_PENALTIES = (3.0, 0.3, 0.03, 0.003)


def logistic(
    features: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> RegressionFit:
    """Regress soft labels on features, without an intercept that the features do not hold.

    Errors are those of :func:`~surefoot.statistics.regression.jackknifed`.

    Args:
        features: (N, K).
        labels: (N,) P(first preferred), in [0, 1].
        clusters: (N,) what rows share; None: rows are independent.
        weights: (N,) of rows, not negative; None: equal.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    beta = fit(x, y, w)
    p = expit(x @ beta)
    return jackknifed(beta, x, w * (y - p), w * p * (1 - p), clusters)


def sure_slope(
    features: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    edge: float = 0.0,
) -> tuple[float, float, float]:
    """The first coefficient, its error and degrees of freedom, for a test of an edge.

    Where labels nearly follow from the feature, errors at the fit say nothing (Hauck and Donner,
    JASA 1977). A coefficient beyond 1 has the error by which the score test at the edge, summed
    over clusters, rejects as surely, or a Newton step from there with its jackknife, where that is
    less sure: one heavy cluster that the other coefficients fit leaves no residual, but moves all.

    Args:
        features: (N, K).
        labels: (N,) P(first preferred), in [0, 1].
        clusters: (N,) what rows share; None: rows are independent.
        weights: (N,) of rows, not negative; None: equal.
        edge: size of the coefficient, on the side of the fitted one, that is tested.
    """
    found = logistic(features, labels, clusters, weights)
    value, error, freedom = (
        float(part[0]) for part in (found.coefficients, found.errors, found.freedom)
    )
    if abs(value) <= _STEEP:
        return value, error, freedom
    x, y = np.asarray(features, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else in_one_unit(np.asarray(weights, dtype=np.float64))
    at = np.sign(value) * edge
    own, others = x[:, 0], x[:, 1:]
    p = expit(at * own + others @ fit(others, y, w, at * own))
    curved = others * (w * p * (1 - p))[:, None]
    faint = _RIDGE * max(float(w.sum()), 1.0) * np.eye(others.shape[1])
    rest = own - others @ np.linalg.solve(curved.T @ others + faint, curved.T @ own)
    ids = np.arange(len(y)) if clusters is None else np.asarray(clusters)
    _, unit = np.unique(ids, return_inverse=True)
    sums = np.bincount(unit, rest * w * (y - p))
    squares, count = np.square(sums), len(sums)
    t = abs(float(sums.sum())) / np.sqrt(squares.sum() * count / max(count - 1, 1))
    effective = squares.sum() ** 2 / np.square(squares).sum()
    freedom = float(np.clip(3 * effective, 2, count) - 1)
    chance = np.clip(p, 1e-9, 1 - 1e-9)
    curvature = chance * (1 - chance)
    step = linear(x, (y - p) / curvature, clusters, w * curvature)
    ratio = float(np.sign(value) * step.coefficients[0] / max(float(step.errors[0]), 1e-300))
    if ratio < t:
        t, freedom = max(ratio, 1e-9), min(freedom, float(step.freedom[0]))
    return value, (abs(value) - edge) / float(t), freedom


def fit(x: Floats, y: Floats, w: Floats, offset: Floats | float = 0.0) -> Floats:
    """Coefficients (K,) by Newton's method with halved steps; the faintest ridge bounds them.

    The unit of weights (N,) does not count.
    """
    w, beta = in_one_unit(w), np.zeros(x.shape[1])
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


def out_of_fold(x: Floats, y: Floats, w: Floats, folds: Ints) -> Floats:
    """Log-odds (N,) of each row by the coefficients that the rows of other folds give."""
    margins = np.zeros(len(x))
    for fold in np.unique(folds).tolist():
        held_out = folds == fold
        margins[held_out] = x[held_out] @ fit(x[~held_out], y[~held_out], w[~held_out])
    return margins


def ridged(
    x: Floats, y: Floats, w: Floats, folds: Ints, penalties: Sequence[float] = _PENALTIES
) -> Floats:
    """Log-odds (N,) of each row by fits without its fold, at the ridge that predicts best of all.

    The penalty is (l / 2) |coefficients|^2 beside the mean surprise; features (N, K) that it is to
    hold alike have one scale.
    """
    tried = [np.zeros(len(x)) for _ in penalties]
    for fold in np.unique(folds).tolist():
        held_out = folds == fold
        rest, labels, mass = x[~held_out], y[~held_out], w[~held_out] / w[~held_out].sum()
        beta = np.zeros(x.shape[1])
        for margins, penalty in zip(tried, penalties, strict=True):
            beta = _fit_ridged(rest, labels, mass, penalty, beta)
            margins[held_out] = x[held_out] @ beta
    return max(tried, key=lambda margins: deviance_explained(margins, y, w))


def _fit_ridged(x: Floats, y: Floats, w: Floats, penalty: float, start: Floats) -> Floats:
    def objective(beta: Floats) -> tuple[float, Floats]:
        m = x @ beta
        value = -float(w @ (y * log_expit(m) + (1 - y) * log_expit(-m)))
        slope = x.T @ (w * (expit(m) - y))
        return value + penalty / 2 * float(beta @ beta), slope + penalty * beta

    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return np.asarray(found.x, dtype=np.float64)


def deviance_explained(
    margins: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike,
    base: ArrayLike = 0.0,
) -> float:
    """The share of the labels' deviance that margins explain: McFadden's (1974), 0 for the base's.

    Out of fold it may be below 0: worse than the base.

    Args:
        margins: (N,) log-odds.
        labels: (N,) P(first preferred).
        weights: (N,) of rows, not negative.
        base: (N,) or one number: log-odds that explain nothing.
    """
    y, w = np.asarray(labels, dtype=np.float64), np.asarray(weights, dtype=np.float64)

    def surprise(m: ArrayLike) -> float:
        at = np.broadcast_to(np.asarray(m, dtype=np.float64), y.shape)
        return -float(w @ (y * log_expit(at) + (1 - y) * log_expit(-at)))

    whole = surprise(base)
    return 1 - surprise(margins) / whole if whole > 0 else 0.0
