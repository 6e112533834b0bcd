"""How often a label does not depend on the margin, at either end: a psychometric function.

P(first preferred) = l1 + (1 - l1 - l2) sigma(a m + c): l1 where margins speak plainly against the
first response, l2 where they speak plainly against the second (Wichmann and Hill 2001). With
l1 = l2 and c = 0 it is the model of flipped labels. Who takes the first slot unread makes l1 alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, xlogy

from surefoot.arrays import ArrayLike, Floats
from surefoot.statistics.dependence import in_one_unit
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.profiles import profile_drop

#: Both lapse rates together lie below twice this.
_MOST = 0.45
#: Rows are taken together in so many bins of margins: their likelihood hardly differs inside one.
_BINS = 400


def lapse_rates(
    margins: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> tuple[Estimate, Estimate]:
    """Rates at which the first, and the second, is preferred whatever the margin says.

    By maximum likelihood, with profile intervals
    (:func:`~surefoot.statistics.profiles.profile_drop`).

    Args:
        margins: (N,) log-odds by a model that saw no label of a row.
        labels: (N,) P(first preferred).
        weights: (N,) of rows, not negative; None: equal.
        level: of the intervals.
        clusters: (N,) what rows share; None: rows are independent.

    Raises:
        ValueError: margins that all are 0 or beyond floating point, or no row with a weight.
    """
    m, y = np.asarray(margins, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    n = len(m)
    w = np.ones(n) if weights is None else in_one_unit(np.asarray(weights, dtype=np.float64))
    if not w.sum() > 0:
        raise ValueError("weights are positive for one row at least.")
    w = w * (w.sum() / np.square(w).sum())  # as many as say as much
    z = m / (float(np.abs(m).max(initial=0.0)) or 1.0)
    scale = float(np.sqrt(np.average(np.square(z), weights=w)))
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError("margins are finite, and not all 0 where there is a weight.")
    z = z / scale
    every, heard = (z, y, w), w > 0
    z, y, w = _binned(z, y, w)
    best = _fit(z, y, w, {})
    shared = None if clusters is None else np.asarray(clusters)[heard]
    chance, slopes = _curve(best[0], every[0][heard])
    drops = profile_drop(chance, slopes, every[1][heard], every[2][heard], shared, level)
    found = []
    for end in (0, 1):
        rate = float(best[0][end])

        def above(at: float, end: int = end) -> float:
            return _fit(z, y, w, {end: at})[1] - best[1] - float(drops[end])

        low = 0.0 if above(0.0) <= 0 else _between(above, 0.0, rate)
        high = _MOST if above(_MOST) <= 0 else _between(above, rate, _MOST)
        note = "" if high < _MOST else "the margins do not reach far enough to say"
        found.append(Estimate(rate, low, high, n, "labels", level, note, within=(0.0, _MOST)))
    return found[0], found[1]


def _curve(at: Floats, z: Floats) -> tuple[Floats, Floats]:
    """P(first preferred) (N,) and its derivatives in l1, l2, log a and c, (N, 4)."""
    first, second, scale = at[0], at[1], np.exp(at[2])
    s = expit(scale * z + at[3])
    rest = 1 - first - second
    steep = rest * s * (1 - s)
    slopes = np.stack([1 - s, -s, steep * scale * z, steep], axis=1)
    return np.clip(first + rest * s, 1e-12, 1 - 1e-12), slopes


def _binned(z: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    """Means of margins and labels, and sums of weights, of at most so many bins alike in size."""
    rank = np.empty(len(z), dtype=np.int64)
    rank[np.argsort(z, kind="stable")] = np.arange(len(z))
    place = rank * min(_BINS, len(z)) // len(z)
    mass = np.asarray(np.bincount(place, w), dtype=np.float64)
    kept = mass > 0
    margin, label = (np.bincount(place, w * one)[kept] / mass[kept] for one in (z, y))
    return margin, label, mass[kept]


def _between(above: Callable[[float], float], low: float, high: float) -> float:
    """Where the profile leaves the interval; where it does not, the outer end."""
    outer, inner = (low, high) if above(low) > 0 else (high, low)
    return float(brentq(above, outer, inner, xtol=1e-4)) if above(inner) < 0 else inner


def _fit(z: Floats, y: Floats, w: Floats, fixed: dict[int, float]) -> tuple[Floats, float]:
    """l1, l2, log a and c (4,) that fit best, some held fixed, and less the log-likelihood."""

    def loss(at: Floats) -> tuple[float, Floats]:
        p, slopes = _curve(at, z)
        value = -float(w @ (xlogy(y, p) + xlogy(1 - y, 1 - p)))
        return value, -(w * (y / p - (1 - y) / (1 - p))) @ slopes

    bounds = [(0.0, _MOST), (0.0, _MOST), (-5.0, 7.0), (-5.0, 5.0)]
    for place, value in fixed.items():
        bounds[place] = (value, value)
    tried = []
    for lapse in (0.01, 0.15):  # flat likelihoods have local optima
        begin = np.array([lapse, lapse, 1.0, 0.0])
        begin = np.clip(begin, [low for low, _ in bounds], [high for _, high in bounds])
        found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds)
        tried.append((np.asarray(found.x, dtype=np.float64), float(found.fun)))
    return min(tried, key=lambda one: one[1])
