"""A mean over many rows from labels on a few and a judge's verdicts on all.

Prediction-powered inference with a fitted coefficient (PPI++: Angelopoulos, Duchi and Zrnic 2023,
arXiv 2311.01453), which is the regression estimator of double sampling (Cochran 1977, chapter 12).
Rows with a label are taken to be a random part of all: then the estimate is unbiased, whatever the
judge says, and a poor judge leaves the mean of the labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import ArrayLike, Bools, Floats, Ints
from surefoot.statistics.dependence import FEWEST_CLUSTERS, in_one_unit
from surefoot.statistics.estimate import Estimate, Result, Scope
from surefoot.statistics.intervals import mean, quantile, reach, wilson
from surefoot.statistics.ranges import SHARE, Range, as_one

#: Below so many labels, or labels of the rarer side, no judge is corrected.
FEWEST_LABELS, FEWEST_OF_A_SIDE = 50, 10
_FOLDS = 5


@dataclass(frozen=True)
class PredictionPowered(Result):
    """A mean in [0, 1] over all rows."""

    raw: float  #: mean of the proxy over all rows
    labelled: Estimate  #: by the labels alone
    corrected: Estimate  #: by labels and proxy; refused where labels are too few
    coefficient: float  #: of the proxy, the mean over folds; 0 where it does not help
    #: variance of the corrected mean that one more label takes part in: times 1 / labels
    per_label: float
    floor: float  #: variance that stays however many of the rows are labelled
    each: float  #: labels of a cluster, on average

    def labels_needed(self, half_width: float, rows: int, level: float = 0.95) -> int | None:
        """Labels on so many rows for an interval this wide to either side.

        None where the rows themselves are too few for it.
        """
        room = (half_width / quantile(math.inf, level)) ** 2 - self.floor
        if room <= 0:
            return None
        unseen = math.log1p(-level) / math.log1p(-half_width)  # so many would show rare mistakes
        needed = math.ceil(max(self.per_label / room, self.each * unseen))
        return needed if needed <= rows else None


def prediction_powered(
    labels: ArrayLike,
    proxy: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> PredictionPowered:
    """The mean of labels over all rows: mean(labels) - c (mean(proxy there) - mean(proxy)).

    The coefficient c = cov(labels, proxy) / var(proxy) is fitted to the other folds of clusters, so
    that it owes nothing to the rows that it is used on. The error is that of sums over clusters,
    which may hold rows with and without a label. It is turned into Wilson's interval at the
    effective sample size, with t for the normal quantile, and reaches as far as mistakes
    can take it that are too rare to be among the labels.

    Args:
        labels: (N,) in [0, 1], NaN where there is none.
        proxy: (N,) in [0, 1], what is known of all rows.
        clusters: (N,) what rows share, such as a prompt; None: nothing.
        weights: (N,) of rows, not negative; None: equal.
        level: nominal coverage.
        seed: of the folds.

    Raises:
        ValueError: values outside [0, 1] or not finite, or shapes that do not agree.
    """
    y, f, w, unit = checked_rows(labels, proxy, clusters, weights)
    given = np.isfinite(y)
    alone = mean(y[given], unit[given], w[given], level, "rows with a label", SHARE)
    scope = Scope(int(given.sum()), "rows, and which of them have a label", level, (0.0, 1.0))
    raw = float(np.average(f, weights=w)) if len(f) else math.nan
    reason = too_few(y[given], unit[given])
    if reason:
        return PredictionPowered(raw, alone, scope.refused(None, reason), 0.0, *[math.nan] * 3)
    coefficient = _coefficients(y, f, w, given, unit, seed)
    own, whole = w * given, w
    rest = np.where(given, y - coefficient * f, 0.0)
    spread_of = float(np.average(coefficient, weights=own))
    part, all_f = (float(np.average(v, weights=m)) for v, m in ((rest, own), (f, whole)))
    value = part + spread_of * all_f
    by_label = _sums(own * (rest - part) / own.sum(), unit)
    by_row = _sums(spread_of * whole * (f - all_f) / whole.sum(), unit)
    labelled_units = len(np.unique(unit[given]))
    by_label *= math.sqrt(labelled_units / max(labelled_units - 1, 1))
    moves = by_label + by_row
    variance = float(moves @ moves)
    effective = variance**2 / max(float((moves**2) @ (moves**2)), 1e-300)
    freedom = min(3 * effective, labelled_units) - 1
    floor = float(by_row @ by_row)
    per_label = float(by_label @ by_label) * scope.n
    if as_one(y[given]) or not 0 < value < 1 or not variance > 0:
        corrected = alone  # nothing to correct, or beyond the ends: the labels alone
    else:
        size = float(w.sum() ** 2 / (w @ w))
        ends = wilson(value, math.sqrt(variance), freedom, size, level)
        own_c = coefficient[given]
        limits = Range(np.minimum(0.0, -own_c), 1 - np.minimum(0.0, own_c))
        unseen = limits.unseen(rest[given], own[given], labelled_units).ends(level)
        ends = reach(ends, (unseen[0] + spread_of * all_f, unseen[1] + spread_of * all_f))
        corrected = scope.interval(value, *ends)
    each = scope.n / labelled_units
    return PredictionPowered(raw, alone, corrected, spread_of, per_label, floor, each)


def too_few(labels: Floats, clusters: Ints) -> str:
    """Why labels (n,) cannot correct a judge, or nothing."""
    sides = int((labels > 0.5).sum()), int((labels < 0.5).sum())
    if len(labels) < FEWEST_LABELS or min(sides) < FEWEST_OF_A_SIDE:
        return (
            f"{len(labels)} labels, of which {min(sides)} on the rarer side: {FEWEST_LABELS} are "
            f"needed, and {FEWEST_OF_A_SIDE} on either side"
        )
    units = len(np.unique(clusters))
    return f"{units} clusters, {FEWEST_CLUSTERS} are needed" if units < FEWEST_CLUSTERS else ""


def _coefficients(y: Floats, f: Floats, w: Floats, given: Bools, unit: Ints, seed: int) -> Floats:
    """For each row (N,) the slope of labels in the proxy on the other folds of clusters."""
    some = np.unique(unit[given])
    fold_of = np.zeros(int(unit.max()) + 1, dtype=np.int64)
    fold_of[some] = np.random.default_rng(seed).permutation(len(some)) % _FOLDS
    fold = fold_of[unit]
    found = np.zeros(len(y))
    for one in range(_FOLDS):
        rows = given & (fold != one) & (w > 0)
        if len(np.unique(unit[rows])) > 2:
            own, mass = f[rows] - np.average(f[rows], weights=w[rows]), w[rows]
            square = float(mass @ own**2)
            if square > 1e-12 * mass.sum():
                slope = float(mass @ (own * y[rows])) / square
                found[given & (fold == one)] = slope
    return found


def _sums(values: Floats, unit: Ints) -> Floats:
    return np.bincount(unit, values).astype(np.float64)


def checked_rows(
    labels: ArrayLike, proxy: ArrayLike, clusters: ArrayLike | None, weights: ArrayLike | None
) -> tuple[Floats, Floats, Floats, Ints]:
    """All as vectors of one length, clusters numbered; rows without a weight left out."""
    y, f = (np.asarray(one, dtype=np.float64) for one in (labels, proxy))
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    ids = np.arange(len(y)) if clusters is None else np.asarray(clusters)
    if not y.shape == f.shape == w.shape == ids.shape or y.ndim != 1:
        raise ValueError(f"all have shape (N,); got {y.shape}, {f.shape}, {w.shape}, {ids.shape}.")
    if not np.isfinite(w).all() or (w < 0).any():
        raise ValueError("weights are finite and not negative.")
    kept = w > 0
    y, f, w, ids = y[kept], f[kept], in_one_unit(w[kept]), ids[kept]
    said = np.concatenate([f, y[~np.isnan(y)]])
    if not ((said >= 0) & (said <= 1)).all():
        raise ValueError("labels and proxy lie in [0, 1]; only labels may be NaN.")
    return y, f, w, np.unique(ids, return_inverse=True)[1].astype(np.int64)
