"""Differences between two models on the same items, and what would have been found.

Coverage of nominal 95 % intervals (`tests/statistics/coverage_worlds.py 4000`, right or wrong
of two models, clusters of 1 to 40 rows):

    clusters                             10     20     30     50    100    200
    paired difference, no gap           0.978  0.962  0.952  0.952  0.956  0.947
    paired difference, gap .1           0.968  0.959  0.945  0.952  0.955  0.946
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from surefoot.statistics.dependence import Dependence, Floats, check, spread
from surefoot.statistics.estimate import Estimate, refused
from surefoot.statistics.intervals import quantile, refusal, unanimous

#: Chance with which the minimum detectable difference is found.
POWER = 0.8


@dataclass(frozen=True)
class Comparison:
    """A difference on the same items, its test, and its power.

    Attributes:
        difference: first minus second, with its interval.
        p_value: two-sided, of no difference; None where an interval was refused.
        minimum_detectable: the true difference that this test would find with 80 % chance.
        item_error: standard error from test items: falls with the square root of their number.
        seed_error: standard error from seeds: does not fall with more items.
        freedom: degrees of freedom of the error.
    """

    difference: Estimate
    p_value: float | None
    minimum_detectable: float | None
    item_error: float
    seed_error: float
    freedom: float

    def pairs_needed(self, difference: float) -> int | None:
        """How many test pairs of this kind would find a true difference with 80 % chance.

        None where no number would: an interval was refused, the error from seeds alone is too
        large (train more seeds), or no spread was seen.

        Raises:
            ValueError: `difference` is 0.
        """
        if difference == 0:
            raise ValueError("a difference of 0 cannot be found with any number of pairs.")
        if self.minimum_detectable is None or self.item_error == 0:
            return None
        tolerated = (difference / _reach(self.freedom, self.difference.level)) ** 2
        left = tolerated - self.seed_error**2
        if left <= 0:
            return None
        return math.ceil(self.difference.n * self.item_error**2 / left)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the difference as an estimate, p-value and minimum detectable difference."""
        return {
            "difference": self.difference.to_dict(),
            "p_value": self.p_value,
            "minimum_detectable": self.minimum_detectable,
            "power": POWER,
        }

    def __str__(self) -> str:
        if self.p_value is None or self.minimum_detectable is None:
            return str(self.difference)
        return f"{self.difference}, p = {self.p_value:.2g}, detects {self.minimum_detectable:.3f}"


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    level: float = 0.95,
    covers: str = "test items",
) -> Comparison:
    """Mean of a - b over the same items, with a cluster-robust t test.

    The degrees of freedom are also bounded by the number of clusters in which the two differ,
    less one: with four discordant items, all in one direction, the usual t test rejects one time
    in eight under no difference. Where no item differs, the interval of accuracies is exact.

    Args:
        a: values of the first, shape (N,).
        b: values of the second on the same items, shape (N,).
        clusters: as in :func:`~surefoot.statistics.intervals.mean`.
        weights: shape (N,).
        level: nominal coverage.
        covers: what the interval covers.

    Raises:
        ValueError: shapes that do not agree, or values that are not finite.
    """
    first, w = check(a, weights)
    second, _ = check(b, weights)
    if first.shape != second.shape:
        raise ValueError(f"a and b are of the same items; got {first.shape} and {second.shape}.")
    n = len(first)
    if n == 0:
        return _refused(refused(None, 0, covers, level, "there are no values"))
    dependence = Dependence.of(clusters, n)
    gap = first - second
    moments = spread(gap, dependence, w)
    reason = refusal(dependence, moments.error)
    if not reason and gap.min() == gap.max():
        shares = bool(np.isin([first, second], (0.0, 0.5, 1.0)).all())
        if shares:
            return _unanimous(float(gap[0]), dependence.independent, n, covers, level)
        reason = "all differences are equal, so their spread is unknown"
    if reason:
        return _refused(refused(moments.mean, n, covers, level, reason))
    freedom = min(moments.freedom, discordant(gap, dependence) - 1)
    return compared(moments.mean, moments.error, 0.0, freedom, n, covers, level)


def discordant(gap: Floats, dependence: Dependence) -> int:
    """Number of clusters in which any row differs from 0."""
    return int(((dependence.incidence @ (gap != 0)) > 0).sum())


def compared(
    difference: float,
    item_error: float,
    seed_error: float,
    freedom: float,
    n: int,
    covers: str,
    level: float,
    note: str = "",
) -> Comparison:
    """A comparison from a difference and its errors."""
    freedom = max(freedom, 1.0)
    error = math.hypot(item_error, seed_error)
    reach = quantile(freedom, level) * error
    estimate = Estimate(difference, difference - reach, difference + reach, n, covers, level, note)
    p_value = float(2 * stats.t.sf(abs(difference) / error, freedom))
    return Comparison(
        estimate, p_value, _reach(freedom, level) * error, item_error, seed_error, freedom
    )


def holm(p_values: npt.ArrayLike) -> Floats:
    """P-values adjusted for several tests (Holm 1979): valid under any dependence, shape (K,).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _reach(freedom: float, level: float) -> float:
    """Errors between 0 and the difference that is found with 80 % chance."""
    return quantile(freedom, level) + float(stats.t.ppf(POWER, max(freedom, 1.0)))


def _refused(difference: Estimate) -> Comparison:
    return Comparison(difference, None, None, math.nan, 0.0, math.nan)


def _unanimous(value: float, units: int, n: int, covers: str, level: float) -> Comparison:
    """Every item shows the same difference: an exact interval and a sign test over clusters."""
    low, high = unanimous(value, -1.0, 1.0, units, level)
    p_value = 1.0 if value == 0 else 2.0 ** (1 - units)
    estimate = Estimate(value, low, high, n, covers, level)
    return Comparison(estimate, p_value, max(high - value, value - low), 0.0, 0.0, units - 1)
