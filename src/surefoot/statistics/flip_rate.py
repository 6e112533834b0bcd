"""How many labels are flipped at random: an estimate from repeated votes, a bound from single ones.

Every vote is taken to be the truth, turned round with chance e, whatever the pair and the voter.
Single labels cannot tell flips from preferences that are hard to predict: there is a bound only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from surefoot.statistics.estimate import Estimate
from surefoot.statistics.intervals import mean
from surefoot.statistics.ranges import SHARE


def flip_rate_of_votes(
    disagreement: npt.ArrayLike, clusters: npt.ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """The flip rate e of single votes, from 2 e (1 - e) = the chance that two votes disagree.

    People who want different things disagree too, and count as flips here. Where pairs differ in
    how often they are flipped, the figure lies below the mean rate (2 e (1 - e) is concave).

    Args:
        disagreement: (N,) of each pair with two votes or more, the share of pairs of votes that
            disagree, which :func:`disagreement_of` gives.
        clusters: (N,) what the interval takes as shared; default: every pair is its own.
        level: of the interval.
    """
    covers = "pairs with two votes or more"
    found = mean(disagreement, clusters, None, level, covers, SHARE)
    return found.mapped(lambda chance: float(1 - np.sqrt(1 - 2 * np.clip(chance, 0, 0.5))) / 2)


def disagreement_of(first: npt.ArrayLike, votes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Share of the pairs of votes that disagree, shape (N,); unbiased for their chance.

    Args:
        first: (N,) votes for the first response.
        votes: (N,) votes for either, at least 2.
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
    """The highest flip rate that goes with the accuracy of a model which did not see the labels.

    A model with accuracy a on the truth has (1 - e) a + e (1 - a) on labels that are flipped at
    random, at most 1 - e where e is below 1/2. So e is at most one less the accuracy, here less
    the lower end of its interval. Nothing bounds it from below.

    Args:
        accuracy: on labels as observed, of pairs that the model was not trained on.

    Returns:
        The bound, at most 1/2; None where the accuracy has no interval.
    """
    return None if accuracy.low is None else min(1 - accuracy.low, 0.5)
