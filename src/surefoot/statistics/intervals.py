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
    normal, equal clusters             0.942  0.950  0.946  0.953  0.942  0.951
    normal, unequal clusters           0.931  0.937  0.944  0.954  0.957  0.943
    log-loss, equal clusters           0.939  0.947  0.941  0.943  0.944  0.949
    log-loss, unequal clusters         0.932  0.937  0.948  0.943  0.952  0.938
    complete tournament, continuous    0.938  0.955  0.949  0.950  0.948  0.943
    complete tournament, binary        0.947  0.955  0.951  0.951  0.951  0.946
    sparse tournament, continuous      0.945  0.941  0.945  0.950  0.945  0.953

From 50 clusters on it is 93 to 97 %. What counts are clusters that hold the rarer value: with fewer
than ten of them (shares near .97 in 50 clusters) it errs wide, up to 98 %. With fewer clusters,
binary values err to the wide side and others to the narrow one: 93 to 99 %.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from surefoot.statistics.dependence import (
    FEWEST_CLUSTERS,
    Dependence,
    Floats,
    check,
    spread,
)
from surefoot.statistics.estimate import Estimate, refused

#: With fewer clusters than this, t is replaced by the bootstrap-t for values of any kind.
FEW_CLUSTERS = 50
_RESAMPLES = 1999


def mean(
    values: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    level: float = 0.95,
    covers: str = "test items",
) -> Estimate:
    """Mean with an interval that is robust to dependence inside clusters.

    * Values that are all 0, 1/2 or 1 (right, tie, wrong): Wilson's interval at the effective sample
      size (never above the real one: Korn and Graubard 1998) with a t quantile, whose degrees of
      freedom are also bounded by what the clusters with the rarer value say of the design effect;
      exact where all values are equal.
    * Other values: t with the CR2 error and Imbens and Kolesar's degrees of freedom; below 50
      clusters the bootstrap-t over clusters (Hall 1992), which follows the skew of a log-loss.
    * Pairs of nodes: the dyadic-robust error in the same intervals, without the bootstrap.
    * Below 10 clusters no interval is given.

    Args:
        values: shape (N,).
        clusters: what rows share: ids, shape (N,); or two node ids per row, shape (N, 2), where
            pairs share responses. None: rows are independent.
        weights: shape (N,), not negative. None: equal.
        level: nominal coverage.
        covers: what the interval covers, for the reader.

    Raises:
        ValueError: values that are not finite, or shapes that do not agree.
    """
    v, w = check(values, weights)
    if len(v) == 0:
        return refused(None, 0, covers, level, "there are no values")
    kept = w > 0
    if not kept.all():
        ids = None if clusters is None else np.asarray(clusters)[kept]
        return mean(v[kept], ids, w[kept], level, covers)
    dependence = Dependence.of(clusters, len(v))
    moments = spread(v, dependence, w)
    reason = refusal(dependence, moments.error)
    if reason:
        return refused(moments.mean, len(v), covers, level, reason)
    share = bool(np.isin(v, (0.0, 0.5, 1.0)).all())
    if v.min() == v.max():
        if not share:
            reason = "all values are equal, so their spread is unknown"
            return refused(moments.mean, len(v), covers, level, reason)
        low, high = unanimous(float(v[0]), 0.0, 1.0, dependence.independent, level)
    elif share:
        size = float(w.sum() ** 2 / (w**2).sum())
        freedom = min(moments.freedom, _rarer_freedom(v, dependence))
        low, high = wilson(moments.mean, moments.error, freedom, size, level)
    elif dependence.count < FEW_CLUSTERS and dependence.repeats is None:
        low, high = _bootstrap_t(v, w, dependence, moments.error, level)
    else:
        reach = quantile(moments.freedom, level) * moments.error
        low, high = moments.mean - reach, moments.mean + reach
    return Estimate(moments.mean, low, high, n=len(v), covers=covers, level=level)


def refusal(dependence: Dependence, error: float) -> str:
    """Why no interval can be given, or nothing."""
    if dependence.count < FEWEST_CLUSTERS:
        return (
            f"{dependence.count} independent clusters are too few for an interval "
            f"({FEWEST_CLUSTERS} are needed)"
        )
    return "" if np.isfinite(error) else "one cluster is shared by every row"


def quantile(freedom: float, level: float) -> float:
    """Two-sided t quantile."""
    return float(stats.t.ppf(0.5 + level / 2, max(freedom, 1.0)))


def unanimous(
    value: float, lowest: float, highest: float, units: int, level: float
) -> tuple[float, float]:
    """Exact interval of a mean within [lowest, highest] when every value seen is the same.

    The share q of units that differ is bounded by (1 - q)^units = alpha (alpha / 2 at an end of
    the range, as Clopper and Pearson do); the mean can then lie that far to either side.
    """
    at_end = value in (lowest, highest)
    q = 1 - ((1 - level) / (2 if at_end else 1)) ** (1 / units)
    return value - q * (value - lowest), value + q * (highest - value)


def wilson(
    share: float, error: float, freedom: float, size: float, level: float
) -> tuple[float, float]:
    """Wilson's interval of a share with a given standard error.

    Args:
        share: in (0, 1).
        error: its standard error; the effective sample size is share (1 - share) / error^2.
        freedom: degrees of freedom of the error.
        size: the real sample size, which bounds the effective one.
        level: nominal coverage.
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


def _bootstrap_t(
    values: Floats, weights: Floats, dependence: Dependence, error: float, level: float
) -> tuple[float, float]:
    """Studentised bootstrap over whole clusters, with a fixed seed."""
    count = dependence.count
    sums = dependence.incidence @ (weights * values)
    sizes = dependence.incidence @ weights
    centre = sums.sum() / sizes.sum()
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    means = drawn @ sums / (drawn @ sizes)
    residuals = sums - means[:, None] * sizes
    factor = 1 - sizes / (drawn @ sizes)[:, None]  # CR2, as in the error itself
    inside = np.divide(residuals**2, factor, out=np.zeros_like(residuals), where=factor > 0)
    errors = np.sqrt((drawn * inside).sum(1)) / (drawn @ sizes)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num((means - centre) / errors, nan=0.0, posinf=np.inf, neginf=-np.inf)
    tail = (1 - level) / 2
    lower, upper = np.quantile(ratios, [tail, 1 - tail], method="inverted_cdf")
    return float(centre - upper * error), float(centre - lower * error)
