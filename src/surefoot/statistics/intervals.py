"""The interval of one mean.

Coverage of nominal 95 % intervals, measured with `tests/statistics/coverage_worlds.py 4000`
(standard error .0035). Clusters hold 5 rows, or 1 to 40 (mean 6, geometric) where unequal, with
correlation about .3 inside; nodes of tournaments have effects of .7 of the pair noise:

    clusters or nodes                   10     20     30     50    100    200
    binary, one row a cluster          0.991  0.976  0.973  0.957  0.963  0.949
    binary .95, one row a cluster      0.989  0.985  0.942  0.967  0.967  0.966
    binary, equal clusters             0.960  0.954  0.958  0.952  0.953  0.951
    binary, unequal clusters           0.968  0.964  0.960  0.950  0.957  0.954
    binary .9, unequal clusters        0.989  0.967  0.953  0.942  0.945  0.944
    binary .97, unequal clusters       0.987  0.980  0.981  0.981  0.946  0.944
    normal, equal clusters             0.943  0.950  0.947  0.952  0.943  0.951
    normal, unequal clusters           0.958  0.950  0.956  0.949  0.951  0.941
    log-loss, equal clusters           0.919  0.943  0.942  0.955  0.951  0.953
    log-loss, unequal clusters         0.933  0.934  0.942  0.939  0.950  0.940
    complete tournament, continuous    0.938  0.955  0.949  0.950  0.948  0.943
    complete tournament, binary        0.947  0.955  0.951  0.951  0.951  0.946
    sparse tournament, continuous      0.945  0.941  0.945  0.950  0.945  0.953

From 50 clusters on it is 93 to 97 %. What counts are clusters that hold the rarer value: with fewer
than ten of them (shares near .97 in 50 clusters) it errs wide, up to 98 %. With fewer clusters,
binary values err to the wide side and skewed ones to the narrow one, here without a range: 92 to
99 %. With a range they err wide too (`benchmarks/intervals.py`).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from surefoot.arrays import ArrayLike, Floats
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, Spread, check, spread
from surefoot.statistics.estimate import Estimate, Scope
from surefoot.statistics.ranges import SHARE, UNBOUNDED, Range, as_one


def mean(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    covers: str = "test items",
    within: Range | None = None,
) -> Estimate:
    """Mean with an interval that is robust to dependence inside clusters.

    * Values that are all 0, 1/2 or 1 (right, tie, wrong): Wilson's interval at the effective sample
      size (never above the real one: Korn and Graubard 1998) with a t quantile, whose degrees of
      freedom are also bounded by what the clusters with the rarer value say of the design effect;
      exact where all values are equal.
    * Other values: t with the CR2 error and Imbens and Kolesar's degrees of freedom. Where their
      skewness is surely not that of a symmetric law, the interval is that of a Poisson count as
      skewed as the mean (:func:`skewed`).
    * Pairs of nodes: the dyadic-robust error in the same intervals, symmetric.
    * Values of a known range: the interval reaches at least as far as values that are too rare to
      have been seen can take the mean, and never out of the range.
    * Below 10 clusters no interval is given.

    Args:
        values: shape (N,).
        clusters: what rows share: ids, shape (N,); or two node ids per row, shape (N, 2), where
            pairs share responses. None: rows are independent.
        weights: shape (N,), not negative. None: equal.
        level: nominal coverage.
        covers: what the interval covers, for the reader.
        within: the range of the values. None: [0, 1] if they are all 0, 1/2 or 1, else without end.

    Raises:
        ValueError: values that are not finite or outside the range, or shapes that do not agree.
    """
    v, w = check(values, weights, level)
    if len(v) == 0:
        return Scope(0, covers, level).refused(None, "there are no values")
    kept = w > 0
    if not kept.all():
        ids = None if clusters is None else np.asarray(clusters)[kept]
        inside = None if within is None else within.rows(kept)
        return mean(v[kept], ids, w[kept], level, covers, inside)
    share = within in (None, SHARE) and is_share(v)
    limits = SHARE if share else within or UNBOUNDED
    limits.check(v)
    scope = Scope(len(v), covers, level, limits.ends)
    dependence = Dependence.of(clusters, len(v))
    moments = spread(v, dependence, w)
    reason = refusal(dependence, moments.error)
    if not reason and as_one(v) and not limits.finite:
        reason = "all values are equal, so their spread is unknown"
    if reason:
        return scope.refused(moments.mean, reason)
    if as_one(v):
        low, high = unanimous(v, w, limits, dependence.independent, level)
    elif share:
        size = float(w.sum() ** 2 / (w**2).sum())
        freedom = min(moments.freedom, _rarer_freedom(v, dependence))
        low, high = wilson(moments.mean, moments.error, freedom, size, level)
    else:
        unseen = limits.unseen(v, w, dependence.independent)
        low, high = reach(skewed(moments, level), unseen.ends(level))
    return scope.interval(moments.mean, low, high)


def is_share(*values: Floats) -> bool:
    """Whether all values are 0, 1/2 or 1."""
    return all(bool(np.isin(v, (0.0, 0.5, 1.0)).all()) for v in values)


def reach(seen: tuple[float, float], far: tuple[float, float]) -> tuple[float, float]:
    """The wider ends of an interval of what was seen and of one that allows for what was not.

    Ends of the latter that are infinite, for want of a range, do not count.
    """
    low, high = seen
    return (
        min(low, far[0]) if math.isfinite(far[0]) else low,
        max(high, far[1]) if math.isfinite(far[1]) else high,
    )


def skewed(moments: Spread, level: float) -> tuple[float, float]:
    """Interval of a mean from its error, degrees of freedom and skewness.

    A Poisson count of k has skewness 1 / sqrt(k). A mean of skewness a is taken for such a count,
    k = 1 / a^2, in units of its own, and its interval is that of the count: Garwood's, of k to the
    one side and of k + 1 to the long one, in Byar's form (Breslow and Day 1987, section 2.3) with t
    for the normal quantile. Where that falls short of it, the near end is that of t.
    """
    q, a = quantile(moments.freedom, level), abs(moments.skewness)
    near, far = q, q
    if a > _STRAIGHT:
        k = 1 / a**2
        near = min((k - _byar(k, -q)) * a, q)
        far = (_byar(k + 1, q) - k) * a
    down, up = (near, far) if moments.skewness > 0 else (far, near)
    return moments.mean - down * moments.error, moments.mean + up * moments.error


def unskewed(t: float, skewness: float) -> float:
    """The quantile of t at which an end of :func:`skewed` lies t errors from the mean."""
    if skewness < 0:
        return -unskewed(-t, -skewness)
    if skewness <= _STRAIGHT:
        return t
    k = 1 / skewness**2
    count = k - t / skewness
    return max(-_byar_quantile(k, count), t) if t > 0 else -max(_byar_quantile(k + 1, count), 0.0)


#: Skewness up to which a law counts as symmetric.
_STRAIGHT = 1e-4


def _byar(k: float, q: float) -> float:
    """A quantile of the gamma law of shape k, by that of a normal (or t) variable."""
    return float(k * (1 - 1 / (9 * k) + q / (3 * math.sqrt(k))) ** 3)


def _byar_quantile(k: float, count: float) -> float:
    """The inverse of :func:`_byar`."""
    return 3 * math.sqrt(k) * (math.cbrt(count / k) - 1 + 1 / (9 * k))


def refusal(dependence: Dependence, error: float) -> str:
    """Why no interval can be given, or nothing."""
    if dependence.count < FEWEST_CLUSTERS:
        return (
            f"{dependence.count} independent clusters are too few for an interval "
            f"({FEWEST_CLUSTERS} are needed)"
        )
    if math.isnan(error):
        return "the values are too large for floating-point numbers"
    return "" if math.isfinite(error) else "one cluster is shared by every row"


def quantile(freedom: float, level: float) -> float:
    """Two-sided t quantile."""
    return float(stats.t.ppf(0.5 + level / 2, max(freedom, 1.0)))


def unanimous(
    values: Floats, weights: Floats, within: Range, units: int, level: float
) -> tuple[float, float]:
    """Exact interval of a mean when every value seen is the same.

    The share q of units that differ is bounded by (1 - q)^units = alpha (alpha / 2 at an end of
    the range, as Clopper and Pearson do); the mean can then lie that far to either side.
    """
    at_end = float(values[0]) in within.ends
    return within.unseen(values, weights, units).ends((1 + level) / 2 if at_end else level)


def wilson(
    share: float, error: float, freedom: float, size: float, level: float
) -> tuple[float, float]:
    """Wilson's interval of a share in (0, 1) with a given standard error.

    The effective sample size is share (1 - share) / error^2, at most the real one, `size`. The
    degrees of freedom are those of the error.
    """
    variance = share * (1 - share)
    effective = size if error == 0 else min(size, variance / error**2)
    z2 = quantile(freedom, level) ** 2
    centre = (share + z2 / (2 * effective)) / (1 + z2 / effective)
    reach = np.sqrt(z2 * (variance / effective + z2 / (4 * effective**2))) / (1 + z2 / effective)
    return float(max(centre - reach, 0.0)), float(min(centre + reach, 1.0))


def _rarer_freedom(values: Floats, dependence: Dependence) -> float:
    """Degrees of freedom of the design effect; infinite where every row is its own cluster.

    What is known of it rests on the m clusters that hold the rarer side: with a coefficient of
    variation of 1 among them, the relative variance is 1 / m and Satterthwaite's number 2 m,
    here less one.
    """
    if dependence.repeats is None and dependence.count == len(values):
        return math.inf
    rarer = values < 1 if values.mean() > 0.5 else values > 0
    return 2.0 * float(((dependence.incidence @ rarer) > 0).sum()) - 1
