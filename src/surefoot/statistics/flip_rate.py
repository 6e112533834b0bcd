"""How many labels are flipped at random: an estimate from repeated votes, a bound from single ones.

Every vote is taken to be the truth, turned round with chance e. Where some pairs are harder than
others, what votes show is a lower bound of the mean rate; four votes on a pair show that they are.
Single labels cannot tell flips from preferences that are hard to predict: there is a bound only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import comb
from scipy.stats import binom

from surefoot.arrays import ArrayLike, Floats
from surefoot.statistics.estimate import Estimate, Result, written_p
from surefoot.statistics.intervals import mean
from surefoot.statistics.ranges import SHARE

#: What the rate of votes is where pairs differ; the note of its estimate.
LOWER_BOUND = "a lower bound of the mean rate where some pairs are harder than others"
#: The same where the interval of the chance that two votes disagree lies above 1/2.
MORE_THAN_COINS = (
    "votes disagree more often than those of coins would: see whether some are coded the other way"
)
#: Votes on a pair from which on they say whether pairs differ.
ENOUGH_VOTES = 4
_DRAWS = 2000
_CHANCE = 0.05


def flip_rate_of_votes(
    disagreement: ArrayLike,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    weights: ArrayLike | None = None,
) -> Estimate:
    """The flip rate e of single votes, from 2 e (1 - e) = the chance that two votes disagree.

    People who want different things disagree too, and count as flips here. Where pairs differ in
    how often they are flipped, the figure lies below the mean rate (2 e (1 - e) is concave), which
    its note says: half of the pairs never flipped and half at .4 read .14. See
    :func:`varying_rates`.

    Args:
        disagreement: (N,) of each pair with two votes or more, from :func:`disagreement_of`.
        clusters: (N,) what the interval takes as shared; default: every pair is its own.
        level: nominal coverage.
        weights: (N,) of pairs; default: equal ones.
    """
    covers = "pairs with two votes or more"
    found = mean(disagreement, clusters, weights, level, covers, SHARE)
    rate = found.mapped(lambda chance: float(1 - np.sqrt(1 - 2 * np.clip(chance, 0, 0.5))) / 2)
    more = found.low is not None and found.low > 0.5
    return replace(rate, note=found.note or (MORE_THAN_COINS if more else LOWER_BOUND))


@dataclass(frozen=True)
class VaryingRates(Result):
    """Whether some pairs are flipped more often than others."""

    pairs: int  #: how many have four votes or more
    variance: float  #: estimate of the variance of e (1 - e) over those; 0 where all have one rate
    #: how often one rate gives a variance as large or larger; None without such pairs
    p_value: float | None

    @property
    def seen(self) -> bool:
        """Whether one rate would rarely give votes like these."""
        return self.p_value is not None and self.p_value <= _CHANCE

    def __str__(self) -> str:
        """A sentence on what the rate of :func:`flip_rate_of_votes` is worth."""
        bound = f"This rate is {LOWER_BOUND}"
        if self.p_value is None:
            return f"{bound}, which takes {ENOUGH_VOTES} votes on a pair to see: no pair has them."
        seen = "they are" if self.seen else "that is not seen"
        p = written_p(self.p_value)
        return f"{bound}; on {self.pairs} pairs with {ENOUGH_VOTES} votes or more {seen} ({p})."


def varying_rates(
    first: ArrayLike, votes: ArrayLike, seed: int = 0, weights: ArrayLike | None = None
) -> VaryingRates:
    """Test that all pairs are flipped with one rate, against rates that differ between pairs.

    Two votes on a pair split with chance 2 v, v = e (1 - e); four split in the middle with chance
    6 v^2. The shares of such twos and fours among a pair's votes estimate the mean of v and of v^2
    without bias, and so the variance of v. Three votes say no more than two: they split with chance
    3 v. The p-value is of votes drawn with the one rate that fits (a parametric bootstrap); given
    the rate, pairs of one prompt are independent too.

    Args:
        first: (N,) votes for the first response of each pair.
        votes: (N,) votes for either; pairs with fewer than four are left out.
        seed: of the votes that are drawn.
        weights: (N,) of pairs, not negative; default: equal ones. Of a number of votes as many
            pairs are drawn as say as much as theirs.
    """
    a, k = (np.rint(np.asarray(side)).astype(np.int64) for side in (first, votes))
    w = np.ones(len(k)) if weights is None else np.asarray(weights, dtype=np.float64)
    heard = (k >= ENOUGH_VOTES) & (w > 0)
    a, k, w = a[heard], k[heard], w[heard] / w.max(initial=1e-300)
    if not len(k):
        return VaryingRates(0, 0.0, None)
    sizes = np.unique(k).tolist()
    masses = [float(w[k == size].sum()) for size in sizes]
    moments = partial(_moments, sizes)
    splits: list[Floats] = [
        np.bincount(a[k == size], w[k == size], size + 1).astype(np.float64) for size in sizes
    ]
    v, variance = moments(splits)
    rate = float(1 - np.sqrt(1 - 4 * np.clip(v, 0, 0.25))) / 2
    rng = np.random.default_rng(seed)
    drawn: list[Floats] = []
    for size, mass in zip(sizes, masses, strict=True):
        count = max(round(mass**2 / float(np.square(w[k == size]).sum())), 1)
        chances = binom(size, rate).pmf(np.arange(size + 1))
        counts = rng.multinomial(count, chances, _DRAWS).astype(np.float64)
        drawn.append(counts * (mass / count))
    as_large = int((moments(drawn)[1] >= variance - 1e-12).sum())
    return VaryingRates(len(k), float(variance), (1 + as_large) / (1 + _DRAWS))


def _moments(sizes: list[int], splits: list[Floats]) -> tuple[Floats, Floats]:
    """Mean and variance (...) of v, from the pairs' mass (..., k + 1) by how k votes split."""
    first = second = np.zeros(())
    pairs = sum(np.asarray(one).sum(-1) for one in splits)
    for k, one in zip(sizes, splits, strict=True):
        a = np.arange(k + 1)
        first = first + one @ (a * (k - a) / comb(k, 2)) / 2
        second = second + one @ (comb(a, 2) * comb(k - a, 2) / comb(k, 4)) / 6
    return first / pairs, second / pairs - np.square(first / pairs)


def disagreement_of(first: ArrayLike, votes: ArrayLike) -> Floats:
    """Share of the pairs of votes that disagree, shape (N,); unbiased for their chance.

    Of each pair (N,) the votes for the first response and for either, at least 2.
    """
    a, k = np.asarray(first, dtype=np.float64), np.asarray(votes, dtype=np.float64)
    return 2 * a * (k - a) / (k * (k - 1))


def flip_rate_of_majority(rate: float, votes: int) -> float:
    """Chance that the majority of some votes, each flipped with this rate, is wrong.

    A draw, which an even number can end in, counts half.
    """
    wrong = binom(votes, rate)
    return float(wrong.sf(votes / 2) + (wrong.pmf(votes // 2) / 2 if votes % 2 == 0 else 0))


def flip_rate_bound(accuracy: Estimate) -> float | None:
    """The highest flip rate, at most 1/2, that goes with the accuracy of a model on unseen pairs.

    A model with accuracy a on the truth has (1 - e) a + e (1 - a) on labels that are flipped at
    random, at most 1 - e where e is below 1/2. So e is at most one less the accuracy on labels as
    observed, here less the lower end of its interval. Nothing bounds it from below. None where the
    accuracy has no interval.
    """
    return None if accuracy.low is None else min(1 - accuracy.low, 0.5)
