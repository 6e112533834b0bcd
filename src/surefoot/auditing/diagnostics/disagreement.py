"""How many single votes are flipped, from votes on one pair that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Curves
from surefoot.statistics import Estimate, disagreement_of, flip_rate_of_majority, flip_rate_of_votes
from surefoot.statistics.beta_rates import flip_rate_of_beta
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.flip_mixture import WIDEST
from surefoot.statistics.flip_rate import MORE_THAN_COINS, varying_rates
from surefoot.statistics.minimum_effect import MinimumEffect

MATTERS = 0.05
REFERENCE = 0.10
#: Rows with at least this chance that the majority of their votes is wrong are suspects.
SUSPECTED = 0.25
#: On a pair, in the picture.
MOST_VOTES = 10


def flips(material: Material) -> Iterator[Measurement | Lacking]:
    """The rate e with 2 e (1 - e) = the chance that two votes on a pair disagree."""
    counts = material.votes.counts(len(material.labels))
    several = np.flatnonzero((counts[:, 1] >= 2) & (material.weights > 0))
    prompts = material.prompts[several]
    if len(np.unique(prompts)) < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: votes of two or more people on pairs of {FEWEST_CLUSTERS} prompts "
            f"or more (a column of votes, or --column annotator=...); there are {len(several)} "
            "such pairs."
        )
        return
    first, votes = counts[several].T
    weights = material.weights[several]
    disagreement = disagreement_of(first, votes)
    size = flip_rate_of_votes(disagreement, prompts, weights=weights)
    moments = spread(disagreement, Dependence.of(prompts, len(several)), weights)
    assert size.estimate is not None
    # The rate is convex in the disagreement: by its slope at the estimate the test is no easier
    # than one of disagreement. Near 1/2 the rate hardly follows; the slope is that below.
    slope = 1 / (2 * (1 - 2 * float(np.clip(size.estimate, MATTERS, 0.45))))
    error = max(moments.error, _least_error(votes, weights, REFERENCE)) * slope
    wrong = _chance_that_the_majority_is_wrong(first, votes, size.estimate)
    doubtful = np.flatnonzero(wrong >= SUSPECTED)
    gravest = doubtful[np.argsort(-wrong[doubtful], kind="stable")]
    varying = varying_rates(first, votes, weights=weights)
    beta = flip_rate_of_beta(first, votes, weights=weights, clusters=prompts)
    labels = material.labels[several[disagreement > 0]]
    hard = len(labels) and np.isin(labels, (0.0, 1.0)).mean() > 0.5
    coded = size.note == MORE_THAN_COINS
    yield Measurement(
        size=size,
        test=MinimumEffect(size.estimate, error, moments.freedom, MATTERS),
        seen=f"A single vote is flipped with rate {size}, from {len(several):,} pairs with two "
        f"votes or more; {_majority(size.estimate, votes)}. {varying} The mean rate is "
        f"{moments.mean:.3f} at most, if no pair is flipped more often than not."
        f"{_in_words(beta)}{material.votes.in_words}",
        rows=RowScores(several[gravest], wrong[gravest]),
        remedy={"objective": {"labels": {"kind": "forward-corrected", "flip_rate": "fitted"}}}
        if hard and not coded
        else {},
        advice=f"No flip rate explains it: {size.note}."
        if coded
        else "People who want different things count as flips here, and so do pairs on which both "
        "responses are as good. "
        + (
            "Leave the column of labels out, and they are means of the votes, which say how sure "
            "people are."
            if hard
            else "Labels are means of votes: soft, so they need no remedy; more votes help."
        ),
        picture=_picture(counts[several], prompts, weights, size.estimate),
        details={
            "pairs": len(several),
            "varying": varying.to_dict(),
            "beta": beta.to_dict(),
        },
    )


def _picture(counts: Ints, prompts: Ints, weights: Floats, rate: float) -> Curves:
    """Pairs on which all votes agree, by how many there are; grey: at a rate that is no matter."""
    first, votes = counts.T
    agree = ((first == 0) | (first == votes)).astype(np.float64)
    at = list(range(2, max(min(int(votes.max()), MOST_VOTES), 3) + 1))
    seen: list[Estimate | None] = []
    for k in at:
        rows = votes == k
        if len(np.unique(prompts[rows])) < FEWEST_CLUSTERS:
            seen.append(None)
            continue
        found = spread(agree[rows], Dependence.of(prompts[rows], int(rows.sum())), weights[rows])
        test = MinimumEffect(found.mean, found.error, found.freedom, 0.0, "either")
        seen.append(replace(test.estimate(int(rows.sum()), "prompts"), within=(0.0, 1.0)))

    def by(flipped: float) -> list[float]:
        return [(1 - flipped) ** k + flipped**k for k in at]

    fitted = [
        Estimate(share, None, None, len(votes), "pairs", note="of one rate") for share in by(rate)
    ]
    return Curves(
        at=at,
        series={"seen": seen, "of one rate": fitted},
        axis="pairs on which all votes agree",
        along="votes on a pair",
        band=(by(MATTERS), [1.0] * len(at)),
        points=("seen",),
    )


def _majority(rate: float, votes: Ints) -> str:
    usual = int(np.median(votes))
    wrong = f"{flip_rate_of_majority(rate, usual):.3f}".lstrip("0")
    return f"the majority of {usual} with rate {wrong}"


def _chance_that_the_majority_is_wrong(first: Ints, votes: Ints, rate: float) -> Floats:
    """Of each pair (N,), by Bayes' rule at a rate below 1/2; 1/2 where its votes are a draw."""
    odds = np.clip(rate, 1e-9, 0.5)
    lead = np.abs(2 * first - votes)
    return np.asarray(expit(-lead * (np.log1p(-odds) - np.log(odds))), dtype=np.float64)


def _in_words(beta: Estimate) -> str:
    """The mean rate under a law of rates, where votes say it."""
    if beta.low is None or beta.high is None or beta.high - beta.low > WIDEST:
        return ""
    return f" If {beta.note}, their mean is {beta}."


def _least_error(votes: Ints, weights: Floats, rate: float) -> float:
    """Error of the mean disagreement of pairs with so many votes (N,) at a rate of flips.

    Few votes that happen to agree are no certainty.
    """
    variance = np.zeros(len(votes))
    for k in np.unique(votes).tolist():
        first = np.arange(k + 1)
        chance, split = binom.pmf(first, k, rate), disagreement_of(first, np.full(k + 1, k))
        variance[votes == k] = chance @ (split - chance @ split) ** 2
    parts = weights / weights.max()
    return float(np.sqrt(np.square(parts) @ variance) / parts.sum())


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
