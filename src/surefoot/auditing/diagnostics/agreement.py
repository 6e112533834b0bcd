"""How far do votes agree, how many are enough, and what accuracy can labels show at most?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Curves
from surefoot.statistics.agreement import krippendorff_alpha, spearman_brown, votes_needed
from surefoot.statistics.flip_rate import disagreement_of, flip_rate_of_majority

#: The reliability that is asked for (Krippendorff 2004).
WANTED = 0.8
#: Votes on a pair, in the picture.
MOST_VOTES = 12
#: Below this no conclusion should be drawn (the same).
TENTATIVE = 0.667


def agreement(material: Material) -> Iterator[Measurement | Lacking]:
    """Krippendorff's alpha of votes (1, 1/2 for a tie, 0), whichever response is named first.

    The mean of k votes has reliability k alpha / (1 + (k - 1) alpha) (Spearman and Brown). Two
    decided votes that disagree with chance D are flipped with rate e, D = 2 e (1 - e): a model that
    is always right agrees with a vote in 1 - e of all cases.
    """
    votes, weights = material.votes, material.weights
    heard = weights[votes.pair] > 0
    pair, value = votes.pair[heard], votes.value[heard]
    alpha = krippendorff_alpha(  # of every pair both ways round
        np.tile(2 * pair, 2) + np.repeat([0, 1], len(pair)),
        np.concatenate([value, 1 - value]),
        np.tile(material.prompts[pair], 2),
        np.tile(weights[pair], 2),
    )
    first, decided = votes.counts(len(weights)).T
    several = (decided > 1) & (weights > 0)
    if alpha.estimate is None or alpha.low is None or not several.any():
        reason = alpha.note or "nobody decided twice"
        yield Lacking(f"{DIAGNOSTIC.name}: two votes or more on pairs of 10 prompts ({reason}).")
        return
    alpha = replace(alpha, n=alpha.n // 2)
    one = float(alpha.estimate or 0.0)
    counted = np.bincount(pair)
    each = float(counted[counted > 1].mean())
    splits = disagreement_of(first[several], decided[several])
    disagreement = float(np.average(splits, weights=weights[several]))
    rate = (1 - math.sqrt(max(1 - 2 * disagreement, 0.0))) / 2
    typical = round(float(np.median(decided[several])))
    ceilings = [1 - rate, 1 - flip_rate_of_majority(rate, typical)]
    needed = votes_needed(one, WANTED)
    enough = (
        f"{WANTED} takes {needed:,} votes" if needed else f"no number of votes reaches {WANTED}"
    )
    yield Measurement(
        size=alpha,
        test=None,
        seen=f"Krippendorff's alpha of single votes is {alpha} (1: they agree, 0: by chance). The "
        f"mean of {each:.1f} votes has reliability {spearman_brown(one, each):.2f}; "
        f"{enough} on a pair. No model can agree with more than "
        f"{ceilings[0]:.2f} of single votes, or {ceilings[1]:.2f} of majorities of {typical}."
        f"{votes.in_words}",
        advice="Judge the accuracy of a model against that ceiling, not against 1."
        + (" Collect more votes on fewer pairs, or clearer pairs." if not needed else ""),
        assumption="votes on a pair are drawn independently, and every pair is as hard as the next",
        picture=Curves(
            at=list(range(1, MOST_VOTES + 1)),
            series={
                "reliability": [
                    alpha.mapped(partial(spearman_brown, votes=k)) for k in range(1, MOST_VOTES + 1)
                ]
            },
            axis="reliability of the mean of votes",
            along="votes on a pair",
        ),
        details={
            "votes": each,
            "needed": needed,
            "disagreement": disagreement,
            "ceiling of single votes": ceilings[0],
            "ceiling of majorities": ceilings[1],
        },
    )


DIAGNOSTIC = Diagnostic(
    name="agreement",
    threat="annotators",
    question="How far do people agree, and how many votes are enough?",
    unit="Krippendorff's alpha",
    matters=TENTATIVE,
    reference=WANTED,
    null="votes agree as far as chance would have it",
    measure=agreement,
    source="Krippendorff, Content Analysis (2004), chapter 11",
)
