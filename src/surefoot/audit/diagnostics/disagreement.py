"""How many single votes are flipped, from votes on one pair that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.audit.material import Material
from surefoot.statistics import disagreement_of, flip_rate_of_votes
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.flip_rate import varying_rates
from surefoot.statistics.minimum_effect import MinimumEffect

MATTERS = 0.05
REFERENCE = 0.10


def flips(material: Material) -> Iterator[Measurement | Lacking]:
    """The rate e with 2 e (1 - e) = the chance that two votes on a pair disagree."""
    counts = material.votes.counts(len(material.labels))
    several = np.flatnonzero(counts[:, 1] >= 2)
    prompts = material.prompts[several]
    if len(np.unique(prompts)) < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: votes of two or more people on pairs of {FEWEST_CLUSTERS} prompts "
            f"or more (a column of votes, or --column annotator=...); there are {len(several)} "
            "such pairs."
        )
        return
    first, votes = counts[several].T
    disagreement = disagreement_of(first, votes)
    size = flip_rate_of_votes(disagreement, prompts)
    moments = spread(disagreement, Dependence.of(prompts, len(several)), np.ones(len(several)))
    assert size.estimate is not None
    # Near 1/2 the rate hardly follows from the disagreement; the test needs its slope below that.
    slope = 1 / (2 * (1 - 2 * float(np.clip(size.estimate, MATTERS, 0.45))))
    error = max(moments.error, _least_error(votes, REFERENCE)) * slope
    split = np.flatnonzero(disagreement > 0)
    gravest = split[np.argsort(-disagreement[split], kind="stable")]
    varying = varying_rates(first, votes)
    rate = min(size.estimate, 0.49)
    labels = material.labels[several[split]]
    hard = len(split) and np.isin(labels, (0.0, 1.0)).mean() > 0.5
    yield Measurement(
        size=size,
        test=MinimumEffect(size.estimate, error, moments.freedom, MATTERS),
        seen=f"A single vote is flipped with rate {size}, from {len(several):,} pairs with two "
        f"votes or more. {varying}",
        rows=RowScores(several[gravest], np.minimum(disagreement[gravest], 1.0)),
        remedy={"objective": {"labels": {"kind": "smoothed", "flip_rate": round(rate, 2)}}}
        if hard
        else {},
        advice="People who want different things count as flips here. "
        + (
            "The rate is that of a label that is one vote; a majority of votes is flipped less."
            if hard
            else "Labels are means of votes: soft, so they need no remedy; more votes help."
        ),
        details={"pairs": len(several), "varying": varying.to_dict()},
    )


def _least_error(votes: npt.NDArray[np.int64], rate: float) -> float:
    """Error of the mean disagreement of pairs with so many votes (N,) at a rate of flips.

    Few votes that happen to agree are no certainty.
    """
    variance = 0.0
    for k, pairs in zip(*np.unique(votes, return_counts=True), strict=True):
        first = np.arange(k + 1)
        chance, split = binom.pmf(first, k, rate), disagreement_of(first, np.full(k + 1, k))
        variance += pairs * float(chance @ (split - chance @ split) ** 2)
    return float(np.sqrt(variance)) / len(votes)


DIAGNOSTIC = Diagnostic(
    name="flipped votes",
    threat="noise",
    question="How often does a single vote not say what people prefer?",
    unit="of single votes flipped",
    matters=MATTERS,
    reference=REFERENCE,
    null="at most this share of single votes is flipped, on every pair alike",
    measure=flips,
    source="two votes on a pair disagree with chance 2 e (1 - e)",
)
