"""Differences between two models on the same items, and what would have been found.

Coverage of nominal 95 % intervals (`tests/statistics/coverage_worlds.py 4000`, right or wrong
of two models, clusters of 1 to 40 rows):

    clusters                             10     20     30     50    100    200
    paired difference, no gap           0.978  0.962  0.952  0.952  0.956  0.947
    paired difference, gap .1           0.968  0.959  0.945  0.952  0.955  0.946
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import stats

from surefoot.arrays import ArrayLike, Floats
from surefoot.statistics import intervals
from surefoot.statistics.dependence import Dependence, Spread, check, spread
from surefoot.statistics.estimate import Estimate, Scope, finite, written
from surefoot.statistics.power import POWER, Discordance, SignTest, TTest
from surefoot.statistics.ranges import SHARE_DIFFERENCE, UNBOUNDED, Range, Unseen, as_one

#: No p-value is stated below this: none is 0.
LEAST_P = 1e-300


@dataclass(frozen=True)
class Comparison:
    """A difference on the same items, its test, and its power."""

    difference: Estimate  #: first minus second, with its interval
    p_value: float | None  #: two-sided, of no difference; None where an interval was refused
    #: how likely the test finds what; None where an interval was refused
    test: TTest | SignTest | None = field(default=None, repr=False)

    @cached_property
    def minimum_detectable(self) -> float | None:
        """The true difference that is found with 80 % chance; None without a test.

        Of right and wrong, where it comes on items on which the two agree.
        """
        return None if self.test is None else self.test.detectable()

    @cached_property
    def traded(self) -> float | None:
        """The smaller one of right and wrong, where the two trade errors instead.

        None where fewer items differ than that takes.
        """
        if self.test is None or self.test.discordance is None:
            return None
        found = self.test.detectable(new=False)
        return found if self.test.discordance.enough(found) else None

    @property
    def approximate(self) -> bool:
        """Whether what is detectable is: two models' right and wrong differ in few clusters."""
        return isinstance(self.test, SignTest) and self.test.approximate

    def pairs_needed(self, difference: float) -> int | None:
        """How many test pairs of this kind would find a true difference with 80 % chance.

        None where no number would: an interval was refused, the error from seeds alone is too
        large (train more seeds), or no spread was seen.

        Raises:
            ValueError: `difference` is 0.
        """
        if difference == 0:
            raise ValueError("a difference of 0 cannot be found with any number of pairs.")
        times = None if self.test is None else self.test.items_needed(difference)
        return None if times is None else math.ceil(self.difference.n * times)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the difference as an estimate, p-value and minimum detectable difference."""
        content: dict[str, Any] = {
            "difference": self.difference.to_dict(),
            "p_value": finite(self.p_value),
            "minimum_detectable": finite(self.minimum_detectable),
            "power": POWER,
        }
        if self.approximate:
            content["minimum_detectable_note"] = "approximate: the two differ in few clusters"
        if self.traded is not None:
            content["minimum_detectable_traded"] = finite(self.traded)
        return content

    def __str__(self) -> str:
        if self.p_value is None or self.minimum_detectable is None:
            return str(self.difference)
        found = ("about " if self.approximate else "") + written(self.minimum_detectable)
        return f"{self.difference}, p = {self.p_value:.2g}, detects {found}"


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    covers: str = "test items",
    within: Range | None = None,
) -> Comparison:
    """Mean of a - b over the same items, shape (N,) each, with a cluster-robust t test.

    The degrees of freedom are also bounded by the number of clusters in which the two differ,
    less one: with four discordant items, all in one direction, the usual t test rejects one time
    in eight under no difference. Where no item differs, the interval of accuracies is exact.
    Interval and p-value of other values than accuracies allow for skewness and for what was not
    seen, as those of a mean do.

    The rest is as in :func:`~surefoot.statistics.intervals.mean`; `within` is the range of the
    differences, by default [-1, 1] if a and b are all 0, 1/2 or 1, else without end.

    Raises:
        ValueError: shapes that do not agree, values that are not finite, or differences outside
            the range.
    """
    first, w = check(a, weights, level)
    second, _ = check(b, weights, level)
    if first.shape != second.shape:
        raise ValueError(f"a and b are of the same items; got {first.shape} and {second.shape}.")
    if not len(first):
        return Comparison(Scope(0, covers, level).refused(None, "there are no values"), None)
    kept = w > 0
    if not kept.all():
        ids = None if clusters is None else np.asarray(clusters)[kept]
        inside = None if within is None else within.rows(kept)
        a, b, w = first[kept], second[kept], w[kept]
        return paired_difference(a, b, ids, w, level, covers, inside)
    shares = within in (None, SHARE_DIFFERENCE) and intervals.is_share(first, second)
    limits = SHARE_DIFFERENCE if shares else within or UNBOUNDED
    dependence = Dependence.of(clusters, len(first))
    with np.errstate(over="ignore"):
        gap = first - second
    limits.check(gap)
    scope = Scope(len(gap), covers, level, limits.ends)
    moments = spread(gap, dependence, w)
    reason = intervals.refusal(dependence, moments.error)
    if not reason and as_one(gap) and not limits.finite:
        reason = "all differences are equal, so their spread is unknown"
    if reason:
        return Comparison(scope.refused(moments.mean, reason), None)
    if as_one(gap):
        return _unanimous(gap, w, limits, dependence.independent, scope)
    differ = int(((dependence.incidence @ (gap != 0)) > 0).sum())
    freedom = max(min(moments.freedom, differ - 1), 1.0)
    test: TTest | SignTest = TTest(1.0, freedom, level, unit=moments.error)
    if shares:
        test = _sign_test(discordance(gap, w, moments.error), dependence, differ, moments, level)
        moments = replace(moments, skewness=0.0)
    moments = replace(moments, freedom=freedom)
    unseen = (UNBOUNDED if shares else limits).unseen(gap, w, dependence.independent)
    return compared(moments, test, scope, unseen)


def discordance(gap: Floats, weights: Floats, error: float) -> Discordance:
    """Discordance from differences of rows (N,) and the standard error of their mean."""
    shares = weights / weights.sum()
    square, distance = float(shares @ gap**2), float(shares @ np.abs(gap))
    return Discordance(float(shares @ gap), error, square, square / distance if distance else 1.0)


def compared(
    moments: Spread, test: TTest | SignTest, scope: Scope, unseen: Unseen, note: str = ""
) -> Comparison:
    """A comparison from a difference with its error."""
    seen, far = intervals.skewed(moments, scope.level), unseen.ends(scope.level)
    estimate = scope.interval(moments.mean, *intervals.reach(seen, far), note)
    u = intervals.unskewed(moments.mean / moments.error, moments.skewness)
    p_value = max(float(2 * stats.t.sf(abs(u), moments.freedom)), unseen.chance_of(0.0), LEAST_P)
    return Comparison(estimate, p_value, test)


def holm(p_values: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """P-values adjusted for several tests (Holm 1979): valid under any dependence, shape (K,).

    Args:
        p_values: (K,).
        weights: (K,) shares of the error rate, above 0; None: equal ones.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    >>> holm([0.01, 0.04], weights=[3, 1]).round(4).tolist()
    [0.0133, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    w = np.ones(len(p)) if weights is None else np.asarray(weights, dtype=np.float64)
    order = np.argsort(p / w, kind="stable")
    left = np.cumsum(w[order][::-1])[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] / w[order] * left), 1.0)
    return adjusted


def _sign_test(
    seen: Discordance, dependence: Dependence, differ: int, moments: Spread, level: float
) -> SignTest:
    """The test of differences of right and wrong, which differ in so many clusters."""
    units, count = round((seen.square - seen.difference**2) / seen.error**2) + 1, dependence.count
    # Of units, a share differs; of clusters, those in which one of `each` units does.
    share = min(seen.square / seen.size**2, 1 - 0.5 / units)
    each = math.log1p(-min(differ / count, 1 - 0.5 / count)) / math.log1p(-share)
    rows = dependence.repeats is None and count == dependence.ids.shape[0]
    known = moments.freedom if rows else min(moments.freedom, differ)
    return SignTest(seen, units, count, each, moments.freedom, known, level)


def _unanimous(gap: Floats, weights: Floats, within: Range, units: int, scope: Scope) -> Comparison:
    """Every item shows the same difference: an exact interval and a sign test over clusters."""
    value, level = float(gap[0]), scope.level
    estimate = scope.interval(value, *intervals.unanimous(gap, weights, within, units, level))
    p_value = 1.0 if value == 0 else max(2.0 ** (1 - units), LEAST_P)
    size = 1.0 if intervals.is_share(gap) else max(map(abs, within.ends))
    seen = Discordance(value, 0.0, value**2, size)
    test = SignTest(seen, units, units, 1.0, units - 1, units - 1, level)
    return Comparison(estimate, p_value, test)
