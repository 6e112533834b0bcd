"""Intervals for methods: over seeds and test items together.

A test set tells two *models* apart. To tell two *methods* apart, each is trained with several
seeds, and the interval must cover both the draw of seeds and the draw of items. With seed means
m_1..m_S of variance s^2, and C the covariance of the means of two seeds that comes from the items
which they share,

    Var(mean) = s^2 / S + C,

an identity in expectation (the covariances inside s^2 and outside cancel to C), whether seeds share
all items (crossed), some (each seed its own split of one pool) or none.

Coverage of nominal 95 % intervals (`tests/statistics/coverage_worlds.py 4000 seeds`, 100 items in
two rows each):

    seeds                                 3      5      8     10
    crossed, seeds matter little        0.937  0.945  0.957  0.946
    crossed, seeds dominate             0.943  0.947  0.949  0.947
    crossed, no seed effect             0.947  0.948  0.959  0.953
    own splits of one pool              0.959  0.942  0.947  0.941
    own splits, no seed effect          0.957  0.951  0.947  0.945
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from surefoot.arrays import ArrayLike, Floats
from surefoot.statistics import intervals
from surefoot.statistics.comparison import Comparison, compared, discordance, paired_difference
from surefoot.statistics.dependence import Dependence, Spread, check, skewness_of
from surefoot.statistics.estimate import Estimate, Scope
from surefoot.statistics.power import TTest
from surefoot.statistics.ranges import SHARE, SHARE_DIFFERENCE, UNBOUNDED, Range, Unseen

#: Below this number of seeds no interval over seeds is given.
FEWEST_SEEDS = 3

BySeed = Sequence[ArrayLike] | Floats

Within = Range | Sequence[Range] | None


def hierarchical(
    values_by_seed: BySeed,
    clusters: ArrayLike | Sequence[ArrayLike] | None = None,
    level: float = 0.95,
    covers: str = "test items",
    within: Within = None,
) -> Estimate:
    """Mean over seeds with an interval that covers seeds and items.

    Args:
        values_by_seed: shape (S, N), or S vectors of different lengths.
        clusters: one array for all seeds (the same items in each), shape (N,) or (N, 2); or a list
            of S arrays (items by seed: equal ids are the same item). None: the same N independent
            items in each seed.
        level: nominal coverage.
        covers: what the items are; the result says "seeds and test items".
        within: the range of the values, of all seeds or of each. None: [0, 1] if they are all 0,
            1/2 or 1, else without end.

    Returns:
        With one seed an estimate that covers "test items (one seed)"; with two no interval.

    Raises:
        ValueError: no seed, an empty one beside others, values outside the range, or shapes that
            do not agree.
    """
    values, ids = _aligned(values_by_seed, clusters, level)
    share = within in (None, SHARE) and intervals.is_share(*values)
    limits = _joined(SHARE if share else within, values)
    if len(values) == 1:
        return intervals.mean(values[0], ids[0], None, level, f"{covers} (one seed)", limits)
    covers = f"seeds and {covers}"
    if not len(values[0]):
        return Scope(0, covers, level).refused(None, "there are no values")
    seen, _, unseen, reason = _moments(values, ids, limits, level)
    scope, centre = Scope(sum(map(len, values)), covers, level, limits.ends), seen.mean
    if reason:
        return scope.refused(centre, reason)
    if share and 0 < centre < 1:
        low, high = intervals.wilson(centre, seen.error, seen.freedom, scope.n, level)
    else:
        low, high = intervals.reach(intervals.skewed(seen, level), unseen.ends(level))
    return scope.interval(centre, low, high, f"{len(values)} seeds")


def hierarchical_difference(
    a_by_seed: BySeed,
    b_by_seed: BySeed,
    clusters: ArrayLike | Sequence[ArrayLike] | None = None,
    level: float = 0.95,
    covers: str = "test items",
    within: Within = None,
) -> Comparison:
    """Difference of two methods with the same seeds on the same items, seed by seed.

    Args: as for :func:`hierarchical`; `within` is the range of the differences.

    Raises:
        ValueError: the two do not have the same seeds and items, or differences lie outside the
            range.
    """
    first, ids = _aligned(a_by_seed, clusters, level)
    second, _ = _aligned(b_by_seed, clusters, level)
    if [v.shape for v in first] != [v.shape for v in second]:
        raise ValueError("a and b need the same seeds, and the same items in each seed.")
    if len(first) == 1:
        limits = within if within is None or isinstance(within, Range) else within[0]
        one = f"{covers} (one seed)"
        return paired_difference(first[0], second[0], ids[0], None, level, one, limits)
    if not len(first[0]):
        return Comparison(Scope(0, covers, level).refused(None, "there are no values"), None)
    with np.errstate(over="ignore"):
        gaps = [a - b for a, b in zip(first, second, strict=True)]
    shares = within is None and intervals.is_share(*first, *second)
    joined = _joined(SHARE_DIFFERENCE if shares else within, gaps)
    seen, test, unseen, reason = _moments(gaps, ids, joined, level, not shares)
    scope = Scope(sum(map(len, gaps)), f"seeds and {covers}", level, joined.ends)
    if test is None or reason:
        return Comparison(scope.refused(seen.mean, reason), None)
    if shares:
        weights = np.concatenate([np.full(len(g), 1 / len(g)) for g in gaps])
        known = discordance(np.concatenate(gaps), weights, math.sqrt(test.items or 0.0) * test.unit)
        test = replace(test, discordance=known)
    return compared(seen, test, scope, unseen, f"{len(gaps)} seeds")


def _joined(within: Within, values: list[Floats]) -> Range:
    """The range of the values of all seeds, one after the other."""
    if within is None:
        return UNBOUNDED
    each = [within] * len(values) if isinstance(within, Range) else list(within)
    if len(each) != len(values):
        raise ValueError(f"ranges are of {len(each)} seeds, values of {len(values)}.")
    if all(one is each[0] for one in each) and np.ndim(each[0].lowest) == 0:
        return each[0]
    sizes = [len(v) for v in values]
    low, high = (
        np.concatenate([np.broadcast_to(e, n) for e, n in zip(ends, sizes, strict=True)])
        for ends in ([r.lowest for r in each], [r.highest for r in each])
    )
    return Range(low, high)


def _aligned(
    values_by_seed: BySeed, clusters: ArrayLike | Sequence[ArrayLike] | None, level: float
) -> tuple[list[Floats], list[npt.NDArray[np.generic]]]:
    values = [check(v, None, level)[0] for v in values_by_seed]
    if not values or len({len(v) > 0 for v in values}) > 1:
        raise ValueError("there is no seed, or one without values where others have some.")
    sizes = [len(v) for v in values]
    if isinstance(clusters, list | tuple) and len(clusters) == len(values) and np.ndim(clusters[0]):
        ids = [np.asarray(c) for c in clusters]
    elif len(set(sizes)) > 1:
        raise ValueError(f"seeds have {sizes} values: give the clusters of each seed, as a list.")
    else:
        shared = np.arange(sizes[0]) if clusters is None else np.asarray(clusters)
        ids = [shared] * len(values)
    if [len(c) for c in ids] != sizes:
        raise ValueError(f"clusters by seed have lengths {[len(c) for c in ids]}, values {sizes}.")
    return values, ids


def _moments(
    values: list[Floats],
    ids: list[npt.NDArray[np.generic]],
    limits: Range,
    level: float,
    skew: bool = True,
) -> tuple[Spread, TTest | None, Unseen, str]:
    """Mean over seeds and its error, the test of it, what was not seen, and why it has none."""
    seeds = len(values)
    everything = np.concatenate(values)
    limits.check(everything)
    n = len(everything)
    # Squares of huge values are no numbers; a power of two rounds nothing.
    unit = math.ldexp(1.0, math.frexp(float(np.abs(everything).max()))[1] - 1)
    means = np.array([(v / unit).mean() for v in values])
    dependence = Dependence.of(np.concatenate(ids), n)
    owner = np.repeat(np.arange(seeds), [len(v) for v in values])
    weights = np.concatenate([np.full(len(v), 1 / (seeds * len(v))) for v in values])
    residuals = weights * (everything / unit - means[owner])
    factor = dependence.leverage(weights)
    missed = limits if skew else UNBOUNDED
    unseen = missed.unseen(everything, weights, dependence.independent)
    centre = float(means.mean()) * unit
    reason = intervals.refusal(dependence, float(factor.max()))
    if seeds < FEWEST_SEEDS:
        reason = f"{seeds} seeds are too few for an interval over seeds ({FEWEST_SEEDS} are needed)"
    if reason:
        return Spread(centre, math.nan, math.nan), None, unseen, reason
    by_seed = np.zeros((n, seeds))
    by_seed[np.arange(n), owner] = residuals * factor
    gram = dependence.gram(by_seed)
    shared = max(float(gram.sum() - np.trace(gram)) * seeds / (seeds - 1), 0.0)
    between = float(means.var(ddof=1) / seeds)
    items = dependence.degrees_of_freedom(weights, residuals)
    total = between + shared
    doubt = max(shared**2 / items, _variance_of_shared(dependence, by_seed) / 2)
    uncertain = between**2 / (seeds - 1) + doubt
    freedom = total**2 / uncertain if uncertain > 0 else 1.0
    error = math.sqrt(total)
    of_items = min(max(float(gram.sum()), 0.0), total)
    test = TTest(between, seeds - 1, level, shared, doubt, of_items, unit=unit)
    seen = error > 1e-12  # beyond rounding
    third = dependence.third(residuals * factor) / error**3 if skew and seen else 0.0
    found = Spread(centre, error * unit, max(freedom, 1.0), skewness_of(third, freedom + 1))
    return found, test, unseen, "" if seen else "no spread was seen between seeds or items"


def _variance_of_shared(dependence: Dependence, by_seed: Floats) -> float:
    """Variance of C as it was estimated, from the products of seeds in each cluster.

    Where seeds share few items, few products say what C is, however many items there are. For
    pairs of nodes 0: there the degrees of freedom of the items count alone.
    """
    if dependence.repeats is not None:
        return 0.0
    seeds = by_seed.shape[1]
    sums = dependence.incidence @ by_seed
    products = (sums.sum(axis=1) ** 2 - (sums**2).sum(axis=1)) * seeds / (seeds - 1)
    return float(((products - products.mean()) ** 2).sum())
