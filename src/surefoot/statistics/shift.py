"""How far one histogram lies from another, and whether two samples are of one law.

Two questions with two answers. A risk's ball lies around the histogram of the training pairs as
they are, so its radius is the distance from *that* to the law of deployment: of the two only the
sample of deployment is random. Whether both samples are of one law is a permutation test, and
needs units that treat both sides alike: cells that were fitted on one side hold too much of it.
Coverage and size are measured by `benchmarks/shift.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from surefoot.arrays import ArrayLike, Floats
from surefoot.errors import DataError
from surefoot.statistics.estimate import Estimate, Result

_DRAWS = 2000
#: Halvings of the bracket in which the lower end of an interval is looked for, and draws at each.
_HALVINGS, _FEWER = 8, 1000
_COVERS = "prompts of the second sample"


def total_variation(q: Floats, p: Floats) -> Floats:
    """1/2 sum_u |q_u - p_u| (...), of shares (..., U)."""
    return np.abs(q - p).sum(-1) / 2


def chi_squared(q: Floats, p: Floats) -> Floats:
    """sum_u p_u (q_u / p_u - 1)^2 / 2 (...), of shares (..., U); infinite where p lacks a unit."""
    return _sum_over(p, q, lambda ratio: (ratio - 1) ** 2 / 2)


def kl(q: Floats, p: Floats) -> Floats:
    """sum_u q_u log(q_u / p_u) (...) in nats, of shares (..., U); infinite where p lacks a unit."""
    return _sum_over(p, q, lambda ratio: ratio * np.log(np.where(ratio > 0, ratio, 1)))


def largest_share(q: Floats, p: Floats) -> Floats:
    """min_u p_u / q_u (...), of shares (..., U): the lowest CVaR level whose ball holds q."""
    ratio = np.divide(p, q, out=np.full(np.broadcast_shapes(p.shape, q.shape), np.inf), where=q > 0)
    return ratio.min(-1)


def _sum_over(p: Floats, q: Floats, of: Callable[[Floats], Floats]) -> Floats:
    ratio = np.divide(q, p, out=np.zeros(np.broadcast_shapes(p.shape, q.shape)), where=p > 0)
    found = (p * of(ratio)).sum(-1)
    return np.where(((p == 0) & (q > 0)).any(-1), np.inf, found)


@dataclass(frozen=True)
class Distance:
    """A distance between laws, which says how large a risk's ball is that holds the other one."""

    of: Callable[[Floats, Floats], Floats]  #: from the shares q and p (..., U)
    option: str = "radius"  #: of the risk
    highest: float = math.inf  #: its largest value
    falls: bool = False  #: as laws move apart

    def __call__(self, q: Floats, p: Floats) -> Floats:
        """The distance (...) of q from p, shares (..., U)."""
        return self.of(q, p)

    def safe(self, distance: Estimate) -> float | None:
        """The option with which a ball holds every law of an interval, rounded to the wide side.

        None where no ball does, or only one without end.
        """
        end = distance.low if self.falls else distance.high
        if end is None or not 0 < end < 1e3:
            return None
        value = (math.floor if self.falls else math.ceil)(end * 1000) / 1000
        return value if value > 0 and (self.falls or value < self.highest) else None


#: Distances by the kind of risk.
DISTANCES: Mapping[str, Distance] = {
    "tv": Distance(total_variation, highest=1.0),
    "chi-squared": Distance(chi_squared),
    "kl": Distance(kl),
    "cvar": Distance(largest_share, "level", highest=1.0, falls=True),
}


@dataclass(frozen=True)
class Shift(Result):
    """The way from a histogram to the law that a sample of prompts was drawn from."""

    #: by kind of risk, from the shares `before` as they are to the law of the second sample. A
    #: sample lies too far out, which the lower ends allow for and estimates do not.
    distances: dict[str, Estimate]
    unseen: float  #: share of the second sample in units that the first one lacks
    before: Floats  #: (U,) shares of the units
    after: Floats  #: (U,) the same of the second sample


def shift(
    before: ArrayLike,
    after: ArrayLike,
    units: int,
    seed: int = 0,
    level: float = 0.95,
    pairs: ArrayLike | None = None,
) -> Shift:
    """How far the law of a second sample of prompts lies from the histogram of a first one.

    The units may have been made from the first sample, not from the second. Upper ends are of a
    bootstrap of the second sample, whose own excess keeps them on the safe side. The lower end is
    the distance of the law nearest to `before`, on the line from there to the sample, that gives
    an estimate as far out as the one seen; 0 (of CVaR's level: 1) where no shift at all does. Each
    end takes half of the usual tail, so that intervals err wide.

    Args:
        before: (N,) the unit of each training prompt, in [0, units).
        after: (M,) the same of the prompts of deployment, which are independent of one another.
        units: how many there are.
        seed: of the draws.
        level: nominal coverage.
        pairs: (N,) how many pairs each training prompt has: a risk weighs units by these.

    Raises:
        DataError: one sample is empty.
    """
    sample = np.asarray(after)
    m = len(sample)
    _require_prompts(np.size(before), m)
    p = np.bincount(np.asarray(before), pairs, units)
    p = p / p.sum()
    q = np.bincount(sample, minlength=units) / m
    drawn = np.random.default_rng(seed).multinomial(m, q, _DRAWS) / m
    tail = (1 - level) / 4

    @cache
    def draws_at(part: float) -> Floats:
        """Samples of deployment if its law lay so far on the way to what was seen."""
        law = p + part * (q - p)
        return np.random.default_rng(seed + 1).multinomial(m, law, _FEWER) / m

    distances = {}
    for kind, distance in DISTANCES.items():
        outwards = -1 if distance.falls else 1

        def far(laws: Floats, of: Distance = distance, outwards: int = outwards) -> Floats:
            return outwards * of(laws, p)

        seen = float(far(q))
        farthest = max(_quantile(far(drawn), 1 - tail), seen)
        nearest = float(far(_nearest(p, q, draws_at, far, tail)))
        low, high = sorted((outwards * nearest, outwards * farthest))
        within = (0.0, distance.highest)
        distances[kind] = Estimate(outwards * seen, low, high, m, _COVERS, level, within=within)
    return Shift(distances, float(q[p == 0].sum()), p, q)


def _nearest(
    p: Floats,
    q: Floats,
    draws_at: Callable[[float], Floats],
    far: Callable[[Floats], Floats],
    tail: float,
) -> Floats:
    """The law between p and q nearest to p whose draws reach as far out as q."""
    seen = float(far(q)) - 1e-12

    def reaches(part: float) -> bool:
        return _quantile(far(draws_at(part)), 1 - tail) >= seen

    if float(far(p + 1e-6 * (q - p))) == float(far(q)):  # in units that p lacks, or q is p
        return q
    if reaches(0.0):
        return p
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return p + low * (q - p)


def _require_prompts(before: int, after: int) -> None:
    if not before or not after:
        raise DataError(f"a shift is between two samples of prompts; got {before} and {after}.")


def _quantile(values: Floats, share: float) -> float:
    """A quantile among values of which some may be infinite."""
    return float(np.quantile(values, share, method="closest_observation"))


@dataclass(frozen=True)
class OneLaw(Result):
    """Whether two samples of prompts can be of one law."""

    apart: float  #: total variation between their shares of the units
    #: what samples of these sizes from one law lie apart, in the middle of the draws
    by_chance: float
    p_value: float  #: how often one law gives samples that differ as much or more


def one_law(
    before: ArrayLike, after: ArrayLike, units: int, seed: int = 0, both: ArrayLike = ()
) -> OneLaw:
    """Permutation test that two samples are of one law, by Pearson's chi-squared over units.

    Prompts that only one sample has are dealt anew; those of both stay in both. Given the latter,
    the level holds at every size of sample where the units are fixed beforehand or made from both
    samples together without knowing which prompt is whose. Units made from one sample alone find
    shifts that are not there: at 200 and 1,000 prompts of one law, 64 clusters of the smaller
    sample gave p <= .05 in 98 % of 200 worlds. So do popular prompts that count once in either
    sample, the larger of which has more of the rare ones, if those of both are dealt anew too.

    Args:
        before: (N,) the unit, in [0, units), of each distinct prompt that only the one sample has.
        after: (M,) the same of prompts that only the other has.
        units: how many there are.
        seed: of the permutations.
        both: (S,) the unit of each prompt that both have.

    Raises:
        DataError: one sample is empty.
    """
    first, second, shared = (
        np.bincount(np.asarray(side, dtype=np.int64), minlength=units)
        for side in (before, after, both)
    )
    alone, everyone = first + second, first + second + 2 * shared
    n, m = (int(side.sum() + shared.sum()) for side in (first, second))
    _require_prompts(n, m)
    dealt = np.random.default_rng(seed).multivariate_hypergeometric(alone, first.sum(), _DRAWS)

    def apart(counts: Any) -> tuple[Floats, Floats]:
        """Total variation and chi-squared (up to a factor) of counts (..., U) of the first."""
        gap = (counts + shared) / n - (alone - counts + shared) / m
        return np.abs(gap).sum(-1) / 2, (gap**2 / np.maximum(everyone, 1)).sum(-1)

    seen, statistic = apart(first)
    by_chance, null = apart(dealt)
    as_far = int((null >= statistic * (1 - 1e-9)).sum())
    return OneLaw(float(seen), float(np.median(by_chance)), (1 + as_far) / (1 + _DRAWS))
