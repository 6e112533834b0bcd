"""A share that a judge with known errors of either kind measured: Rogan and Gladen (1978).

Where labels are a random part of all rows, prediction-powered inference uses more of them; this
also holds where they were picked by their own side (as many wins as losses, say).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.statistics.estimate import Estimate, Result, Scope
from surefoot.statistics.intervals import quantile
from surefoot.statistics.prediction_powered import checked_rows, too_few

_COVERS = "rows, and which of them have a label"


@dataclass(frozen=True)
class Misclassified(Result):
    """A binary judge beside labels."""

    true_rate: Estimate  #: TPR, how often it says yes where the label does
    false_rate: Estimate  #: FPR, how often it says yes where the label says no
    skill: Estimate  #: J = TPR - FPR (Youden): 1 for a perfect judge, 0 for one that says nothing
    raw: float  #: share of yes over all rows
    corrected: Estimate  #: (raw - FPR) / J; refused where labels are few or J may be 0


def misclassified(
    labels: ArrayLike,
    verdicts: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Misclassified:
    """The share of yes over all rows, with an interval that knows how well TPR and FPR are known.

    All p are kept for which raw - FPR - p J lies within t errors of 0 (Fieller 1954), which needs
    no division by J. The covariance of the three rates is that of sums over clusters. Variances of
    TPR and FPR are at least those of a share with one success and one failure more, so that ten
    labels that are all right are no certainty.

    Args:
        labels: (N,) 0 or 1, NaN where there is none; ties count as none.
        verdicts: (N,) in [0, 1]; those above 1/2 say yes, a tie half.
        clusters: (N,) what rows share; None: nothing.
        weights: (N,) of rows, not negative; None: equal.
        level: nominal coverage.

    Raises:
        ValueError: values outside [0, 1], or shapes that do not agree.
    """
    y, f, w, unit = checked_rows(labels, verdicts, clusters, weights)
    says = (np.sign(f - 0.5) + 1) / 2
    decided = np.isfinite(y) & (y != 0.5)
    sides = decided & (y > 0.5), decided & (y < 0.5)
    n = int(decided.sum())
    reason = too_few(y[decided], unit[decided])
    raw = float(np.average(says, weights=w)) if len(says) else math.nan
    scope, wide = (Scope(n, _COVERS, level, ends) for ends in ((0.0, 1.0), (-1.0, 1.0)))
    if reason:
        none = scope.refused(None, reason)
        return Misclassified(none, none, wide.refused(None, reason), raw, none)
    rates, rows = [raw], [_moves(says, w, unit, raw)]
    least = [0.0]
    for side in sides:
        own = w * side
        rate = float(np.average(says, weights=own))
        size = float(own.sum() ** 2 / (own @ own))
        smoothed = (rate * size + 1) / (size + 2)
        rates.append(rate)
        rows.append(_moves(says, own, unit, rate) * math.sqrt(size / (size - 1)))
        least.append(smoothed * (1 - smoothed) / (size + 2))
    moves = np.stack(rows)
    covariance = moves @ moves.T
    covariance += np.diag(np.maximum(np.array(least) - covariance.diagonal(), 0.0))
    freedom = min(len(np.unique(unit[side])) for side in sides) - 1
    t = quantile(freedom, level)

    def linear(direction: Floats, ends: Scope) -> Estimate:
        value = float(direction @ rates)
        reach = t * math.sqrt(float(direction @ covariance @ direction))
        return ends.interval(value, value - reach, value + reach)

    true_rate, false_rate = (linear(np.eye(3)[k], scope) for k in (1, 2))
    skill = linear(np.array([0.0, 1.0, -1.0]), wide)
    return Misclassified(
        true_rate, false_rate, skill, raw, _corrected(rates, covariance, t, skill, scope)
    )


def _corrected(
    rates: list[float], covariance: Floats, t: float, skill: Estimate, scope: Scope
) -> Estimate:
    """The p for which a' (raw, TPR, FPR) is within t errors of 0, where a = (1, -p, p - 1)."""
    if skill.side(0.0) == 0:
        return scope.refused(None, f"J = TPR - FPR is {skill}: this judge may say nothing")
    raw, true_rate, false_rate = rates
    value = (raw - false_rate) / (true_rate - false_rate)
    fixed, moving = np.array([1.0, 0.0, -1.0]), np.array([0.0, -1.0, 1.0])
    at, slope = raw - false_rate, -(true_rate - false_rate)
    a = slope**2 - t**2 * float(moving @ covariance @ moving)
    b = at * slope - t**2 * float(fixed @ covariance @ moving)
    c = at**2 - t**2 * float(fixed @ covariance @ fixed)
    root = math.sqrt(max(b * b - a * c, 0.0))  # a > 0, as the interval of J leaves out 0
    low, high = (-b - root) / a, (-b + root) / a
    cut = min(max(value, 0.0), 1.0)
    return scope.interval(cut, min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0))


def _moves(values: Floats, weights: Floats, unit: Ints, centre: float) -> Floats:
    """By how much each cluster moves a weighted mean."""
    return np.bincount(unit, weights * (values - centre) / weights.sum()).astype(np.float64)
