"""How far people who judge the same things agree, and how many judges are enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.estimate import Estimate, Scope


def krippendorff_alpha(
    units: ArrayLike,
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Krippendorff's alpha of V values on units: 1 - observed / expected disagreement.

    Disagreement is the squared difference (the metric for intervals), which for two categories,
    as 0 and 1, is that of names. Values alone on their unit count for nothing. The interval is by
    the jackknife over clusters of units. Source: Krippendorff, Content Analysis (2004), chapter 11.

    Args:
        units: (V,) what a value is of.
        values: (V,) finite.
        clusters: (V,) what units share; None: units are independent.
        weights: (V,) of the unit that a value is of, positive; None: equal.
        level: of the interval.

    Returns:
        Without a figure where nothing is judged twice or all values are equal; without an interval
        below ten clusters.
    """
    _, unit = np.unique(np.asarray(units), return_inverse=True)
    v = np.asarray(values, dtype=np.float64)
    several = np.bincount(unit)[unit] > 1
    if not several.any():
        return Scope(0, "units", level).refused(None, "no unit has two values")
    _, first, unit = np.unique(unit[several], return_index=True, return_inverse=True)
    v = v[several]
    k, s, q = (np.bincount(unit, w) for w in (np.ones(len(v)), v, v**2))
    parts = np.stack([k, s, q, 2 * (k * q - s**2) / (k - 1)], axis=1)
    if weights is not None:
        w = np.asarray(weights, dtype=np.float64)[several][first]
        parts *= (w / w.mean())[:, None]
    shared = first if clusters is None else np.asarray(clusters)[several][first]
    _, cluster = np.unique(shared, return_inverse=True)
    sums = np.zeros((int(cluster.max()) + 1, 4))
    np.add.at(sums, cluster, parts)
    whole, count = sums.sum(0), len(sums)
    (alpha,) = _alpha(whole[None])
    scope = Scope(len(k), "units", level, within=(-1.0, 1.0))
    if not math.isfinite(alpha):
        return scope.refused(None, "all values are equal")
    if count < FEWEST_CLUSTERS:
        return scope.refused(float(alpha), f"{count} clusters, {FEWEST_CLUSTERS} are needed")
    without = _alpha(whole - sums)
    moves = np.where(np.isfinite(without), without - alpha, 0.0)
    error = math.sqrt((count - 1) / count * float((moves**2).sum()))
    reach = -error * float(stdtrit(count - 1, (1 - level) / 2))
    return scope.interval(float(alpha), float(alpha) - reach, float(alpha) + reach)


def _alpha(sums: Floats) -> Floats:
    """Alpha (...) from sums (..., 4): values, their sum and that of squares, disagreement."""
    n, s, q, observed = np.moveaxis(sums, -1, 0)
    expected = 2 * (n * q - s**2) / np.maximum(n - 1, 1)
    some = expected > 1e-12 * np.maximum(n * q, 1e-300)
    return np.where(some, 1 - observed / np.where(some, expected, 1.0), np.nan)


def spearman_brown(reliability: float, votes: float) -> float:
    """Reliability of the mean of some votes, from that of one (Spearman 1910; Brown 1910).

    What is less reliable than chance gains nothing by more votes: below 0 it counts as 0.

    >>> round(spearman_brown(0.5, 3), 3)
    0.75
    """
    one = max(reliability, 0.0)
    return votes * one / (1 + (votes - 1) * one)


def votes_needed(reliability: float, wanted: float) -> int | None:
    """The fewest votes whose mean is this reliable; None where one vote says nothing.

    >>> votes_needed(0.4, 0.8)
    6
    """
    if reliability <= 0:
        return None
    exact = wanted * (1 - reliability) / (reliability * (1 - wanted))
    return max(math.ceil(exact - 1e-9), 1)


@dataclass(frozen=True)
class BesideOthers:
    """Each of V votes beside the other votes on its pair."""

    others: Ints  #: (V,) how many other votes its pair has
    mean: Floats  #: (V,) of the others; NaN without one
    #: (V,) mean of 1 - 2 |difference| between the vote and the others: 1 where all agree, 0 by
    #: coins, -1 where all say the opposite; NaN without another
    own: Floats
    among: Floats  #: (V,) the same among the others; NaN where they are fewer than two

    def at(self, votes: Ints) -> BesideOthers:
        """Only the votes at these positions."""
        return BesideOthers(
            self.others[votes], self.mean[votes], self.own[votes], self.among[votes]
        )


def beside_others(pairs: ArrayLike, values: ArrayLike) -> BesideOthers:
    """How far each vote agrees with the others on its pair, and these among themselves.

    If the chance of agreement with the truth is (1 + a_i t) / 2 for annotator i on a pair that is
    clear to the degree t (Dawid and Skene 1979, with one error rate, and with difficulty), then the
    mean of `own` is a_i a E[t^2] and that of `among` a^2 E[t^2], on whatever pairs: their quotient
    is the annotator's skill beside that of the others, hard pairs or not.

    Args:
        pairs: (V,) of each vote, any integers.
        values: (V,) in [0, 1].
    """
    _, pair = np.unique(np.asarray(pairs), return_inverse=True)
    v = np.asarray(values, dtype=np.float64)
    order = np.lexsort((v, pair))
    count = np.bincount(pair)
    total = np.bincount(pair, v)
    starts = np.cumsum(count) - count
    sorted_pair, sorted_v = pair[order], v[order]
    below = np.arange(len(v)) - starts[sorted_pair]  # votes of the pair that are not larger
    sums = np.cumsum(sorted_v) - sorted_v
    sums_below = sums - np.concatenate([sums, [0.0]])[starts][sorted_pair]
    k, t = count[sorted_pair], total[sorted_pair]
    distance = np.empty(len(v))
    distance[order] = (
        sorted_v * below - sums_below + (t - sums_below - sorted_v) - sorted_v * (k - below - 1)
    )
    others = count[pair] - 1
    every = np.bincount(pair, distance)[pair] / 2  # over pairs of votes
    rest = others * (others - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return BesideOthers(
            others=others.astype(np.int64),
            mean=(total[pair] - v) / np.where(others > 0, others, np.nan),
            own=1 - 2 * distance / np.where(others > 0, others, np.nan),
            among=1 - 2 * (every - distance) / np.where(rest > 0, rest, np.nan),
        )
