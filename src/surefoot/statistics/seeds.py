"""Intervals for methods: over seeds and test items together.

A test set tells two *models* apart. To tell two *methods* apart, each is trained with several
seeds, and the interval must cover both the draw of seeds and the draw of items. With seed means
m_1..m_S of variance s^2, and C the covariance of the means of two seeds that comes from the items
which they share,

    Var(mean) = s^2 / S + C,

an identity in expectation (the covariances inside s^2 and outside cancel to C), whether seeds share
all items (crossed), some (each seed its own split of one pool) or none.

Coverage of nominal 95 % intervals (`tests/statistics/coverage_worlds.py 4000`, 100 items x 2 rows):

    seeds                                 3      5      8     10
    crossed, seeds matter little        0.936  0.945  0.956  0.946
    crossed, seeds dominate             0.942  0.947  0.949  0.947
    crossed, no seed effect             0.946  0.947  0.959  0.952
    own splits of one pool              0.936  0.935  0.942  0.940
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.statistics.comparison import Comparison, compared, paired_difference
from surefoot.statistics.dependence import Dependence, Floats, check
from surefoot.statistics.estimate import Estimate, refused
from surefoot.statistics.intervals import mean, quantile, refusal, wilson

#: Below this number of seeds no interval over seeds is given.
FEWEST_SEEDS = 3

BySeed = Sequence[npt.ArrayLike] | npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Moments:
    mean: float
    seed_error: float  # root of s^2 / S
    item_error: float  # root of C
    freedom: float
    n: int
    reason: str

    @property
    def error(self) -> float:
        return math.hypot(self.seed_error, self.item_error)


def hierarchical(
    values_by_seed: BySeed,
    clusters: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
    level: float = 0.95,
    covers: str = "test items",
) -> Estimate:
    """Mean over seeds with an interval that covers seeds and items.

    Args:
        values_by_seed: shape (S, N), or S vectors of different lengths.
        clusters: one array for all seeds (the same items in each), shape (N,) or (N, 2); or a list
            of S arrays (items by seed: equal ids are the same item). None: the same N independent
            items in each seed.
        level: nominal coverage.
        covers: what the items are; the result says "seeds and test items".

    Returns:
        With one seed an estimate that covers "test items (one seed)"; with two no interval.

    Raises:
        ValueError: no seed, an empty one, or shapes that do not agree.
    """
    values, ids = _aligned(values_by_seed, clusters)
    if len(values) == 1:
        return mean(values[0], ids[0], level=level, covers=_one_seed(covers))
    moments = _moments(values, ids)
    if moments.reason:
        return refused(moments.mean, moments.n, f"seeds and {covers}", level, moments.reason)
    note = f"{len(values)} seeds"
    everything = np.concatenate(values)
    share = bool(np.isin(everything, (0.0, 0.5, 1.0)).all())
    if share and 0 < moments.mean < 1:
        low, high = wilson(moments.mean, moments.error, moments.freedom, len(everything), level)
    else:
        reach = quantile(moments.freedom, level) * moments.error
        low, high = moments.mean - reach, moments.mean + reach
    return Estimate(moments.mean, low, high, moments.n, f"seeds and {covers}", level, note)


def hierarchical_difference(
    a_by_seed: BySeed,
    b_by_seed: BySeed,
    clusters: npt.ArrayLike | Sequence[npt.ArrayLike] | None = None,
    level: float = 0.95,
    covers: str = "test items",
) -> Comparison:
    """Difference of two methods with the same seeds on the same items, seed by seed.

    Raises:
        ValueError: the two do not have the same seeds and items.
    """
    first, ids = _aligned(a_by_seed, clusters)
    second, _ = _aligned(b_by_seed, clusters)
    if [v.shape for v in first] != [v.shape for v in second]:
        raise ValueError("a and b need the same seeds, and the same items in each seed.")
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    if len(gaps) == 1:
        return paired_difference(first[0], second[0], ids[0], level=level, covers=_one_seed(covers))
    m = _moments(gaps, ids)
    if m.reason:
        return Comparison(
            refused(m.mean, m.n, f"seeds and {covers}", level, m.reason),
            None,
            None,
            math.nan,
            math.nan,
            math.nan,
        )
    note = f"{len(gaps)} seeds"
    return compared(
        m.mean, m.item_error, m.seed_error, m.freedom, m.n, f"seeds and {covers}", level, note
    )


def _one_seed(covers: str) -> str:
    return f"{covers} (one seed)"


def _aligned(
    values_by_seed: BySeed, clusters: npt.ArrayLike | Sequence[npt.ArrayLike] | None
) -> tuple[list[Floats], list[npt.NDArray[np.generic]]]:
    values = [check(v, None)[0] for v in values_by_seed]
    if not values or not all(len(v) for v in values):
        raise ValueError("every seed needs at least one value.")
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


def _moments(values: list[Floats], ids: list[npt.NDArray[np.generic]]) -> _Moments:
    """Mean over seeds and its two errors."""
    seeds = len(values)
    means = np.array([v.mean() for v in values])
    n = sum(len(v) for v in values)
    dependence = Dependence.of(np.concatenate(ids), n)
    owner = np.repeat(np.arange(seeds), [len(v) for v in values])
    weights = np.concatenate([np.full(len(v), 1 / (seeds * len(v))) for v in values])
    residuals = weights * (np.concatenate(values) - means[owner])
    factor = dependence.leverage(weights)
    reason = refusal(dependence, float(factor.max()))
    if seeds < FEWEST_SEEDS:
        reason = f"{seeds} seeds are too few for an interval over seeds ({FEWEST_SEEDS} are needed)"
    if reason:
        return _Moments(float(means.mean()), math.nan, math.nan, math.nan, n, reason)
    by_seed = np.zeros((n, seeds))
    by_seed[np.arange(n), owner] = residuals * factor
    gram = dependence.gram(by_seed)
    shared = max(float(gram.sum() - np.trace(gram)) * seeds / (seeds - 1), 0.0)
    between = float(means.var(ddof=1) / seeds)
    items = dependence.degrees_of_freedom(weights, residuals)
    total = between + shared
    uncertain = between**2 / (seeds - 1) + shared**2 / items
    freedom = total**2 / uncertain if uncertain > 0 else 1.0
    return _Moments(
        float(means.mean()),
        math.sqrt(between),
        math.sqrt(shared),
        freedom,
        n,
        "" if total > 0 else "no spread was seen between seeds or items",
    )
