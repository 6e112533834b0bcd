"""Do votes go round in circles more often than rewards with the same votes would let them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Dots
from surefoot.statistics.cycles import circular, expected_circular, triads
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.hodge import curl_share, curl_share_by_chance, smoothed_log_odds
from surefoot.statistics.minimum_effect import MinimumEffect

#: Transitive votes with another link give up to .016: a tenth flipped where nobody is ever unsure,
#: or a log-odds of 1 for the first slot. Three votes on each pair of a general preference give .02
#: where about a tenth of triads go round.
MATTERS = 0.02
REFERENCE = 0.05
FEWEST = 30


@dataclass(frozen=True)
class JudgedPairs:
    """Pairs that were judged, each once, with all votes on them."""

    ends: Ints  #: (E, 2) the two, by number, the smaller first
    wins: Ints  #: (E,) votes for the first of them
    votes: Ints  #: (E,) for either
    weights: Floats  #: (E,) mean weight of their rows
    of_row: Ints  #: (N,) the pair of each row, -1 for none

    @classmethod
    def of(cls, keys: Ints, first: Ints, votes: Ints, weights: Floats) -> JudgedPairs:
        """Pairs of keys (N, 2), from votes (N,) for the first and for either, and weights (N,)."""
        numbers = np.unique(keys, return_inverse=True)[1].reshape(keys.shape)
        rows = np.flatnonzero((votes > 0) & (weights > 0) & (numbers[:, 0] != numbers[:, 1]))
        ends, pair = np.unique(np.sort(numbers[rows], axis=1), axis=0, return_inverse=True)
        pair, count = pair.reshape(-1), len(ends)
        turned = numbers[rows, 0] > numbers[rows, 1]
        won = np.where(turned, votes[rows] - first[rows], first[rows])
        of_row = np.full(len(keys), -1)
        of_row[rows] = pair
        return cls(
            ends,
            np.bincount(pair, won, count).astype(np.int64),
            np.bincount(pair, votes[rows], count).astype(np.int64),
            np.bincount(pair, weights[rows], count) / np.bincount(pair, minlength=count),
            of_row,
        )

    def circles(self, sides: Ints) -> tuple[Floats, Floats]:
        """The share (T,) that goes round in triads, and what is expected of it by rewards."""
        wins, votes = self.round(sides)
        return circular(wins, votes), expected_circular(wins, votes)

    def round(self, sides: Ints) -> tuple[Ints, Ints]:
        """Wins and votes (T, 3) round the circle of triads with sides ij, jk, ik."""
        wins, votes = self.wins[sides], self.votes[sides]
        wins[:, 2] = votes[:, 2] - wins[:, 2]
        return wins, votes


def ballots(material: Material) -> tuple[Ints, Ints]:
    """Votes (N,) for the first and for either, or single labels where they are 0 or 1."""
    labels = material.labels
    first, votes = material.votes.counts(len(labels)).T
    hard = (votes == 0) & np.isin(labels, (0.0, 1.0))
    return np.where(hard, labels, first).astype(np.int64), np.where(hard, 1, votes)


def cycles(material: Material) -> Iterator[Measurement | Lacking]:
    """Votes that go round in triads of a prompt's responses, less what they give by rewards."""
    compared = JudgedPairs.of(material.responses, *ballots(material), material.weights)
    twice = np.flatnonzero(compared.votes >= 2)
    sides = twice[triads(compared.ends[twice])[0]]
    if len(sides) < FEWEST:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} triads of responses, compared two by two with two votes "
            f"or more on each pair; there are {len(sides)}. With one vote each, rewards explain as "
            "many circles as there are."
        )
        return
    seen, expected = compared.circles(sides)
    cluster, shared = _clusters(material, compared, sides)
    if len(np.unique(cluster)) < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: triads of {FEWEST_CLUSTERS} prompts or more, or so many that have "
            "no pair in common."
        )
        return
    weights = compared.weights[sides].mean(1)
    moments = spread(seen - expected, Dependence.of(cluster, len(cluster)), weights)
    # Triads that happen to agree are no certainty: at least as if a tenth had .3 more, in triads
    # without a pair in common.
    error = max(moments.error, 0.1 / np.sqrt(len(np.unique(sides)) / 3))
    test = MinimumEffect(moments.mean, error, moments.freedom, MATTERS)
    size = test.estimate(len(material.labels), shared)
    share, chance = (float(np.average(one, weights=weights)) for one in (seen, expected))
    curl = _curl(compared, sides)
    yield Measurement(
        size=size,
        test=test,
        seen=f"Of three responses compared two by two, single votes go round in a circle in "
        f"{share:.3f} of {len(sides):,} triads, where rewards with the same votes give "
        f"{chance:.3f}: {size} more. {curl['sentence']}",
        rows=_rows(compared, sides, seen - expected),
        remedy={"scorer": {"head": {"kind": "general-preference", "reward": True}}},
        advice="Where several people voted, camps that want different things make circles, too: "
        "see who votes how before you give up rewards.",
        picture=Dots(
            ["seen", "rewards with the same votes"],
            {
                "circles": [
                    size.mapped(lambda more: more + chance),
                    Estimate(chance, None, None, len(sides), "triads", note="what is expected"),
                ]
            },
            "share of triads that go round in a circle",
            (None, chance + MATTERS),
            ["seen"],
        ),
        details={
            "triads": len(sides),
            "circular": share,
            "expected": chance,
            "curl_share": curl["share"],
            "curl_share_by_chance": curl["by_chance"],
        },
    )


def _clusters(material: Material, compared: JudgedPairs, sides: Ints) -> tuple[Ints, str]:
    """What triads share (T,): a prompt, or where there are few of these a pair that was judged."""
    prompt = np.empty(len(compared.ends), dtype=np.int64)
    rows = np.flatnonzero(compared.of_row >= 0)
    prompt[compared.of_row[rows]] = material.prompts[rows]
    of_prompt = prompt[sides[:, 0]]
    if len(np.unique(of_prompt)) >= FEWEST_CLUSTERS:
        return of_prompt, "prompts"
    count = len(sides)
    triad, pair = np.repeat(np.arange(count), 3), count + sides.ravel()
    size = count + len(compared.ends)
    member = sparse.csr_array((np.ones(sides.size), (triad, pair)), shape=(size, size))
    part = connected_components(member, directed=False)[1][:count]
    return part.astype(np.int64), "votes on these responses"


def _curl(compared: JudgedPairs, sides: Ints) -> dict[str, object]:
    """The share of log-odds that goes round, and what it is by rewards with the same votes."""
    edges = np.unique(sides)
    nodes = np.unique(compared.ends[edges], return_inverse=True)[1].reshape(-1, 2)
    wins, votes = compared.wins[edges], compared.votes[edges]
    share = curl_share(nodes, smoothed_log_odds(wins, votes), votes.astype(np.float64))
    drawn = curl_share_by_chance(nodes, wins, votes)
    return {
        "share": share,
        "by_chance": [float(drawn.min()), float(drawn.max())],
        "sentence": f"Of their log-odds {share:.0%} are no difference of rewards (curl); with "
        f"rewards these votes would show some {drawn.min():.0%} to {drawn.max():.0%}.",
    }


def _rows(compared: JudgedPairs, sides: Ints, excess: Floats) -> RowScores:
    """Rows in triads that go round more than expected, by how much more at most."""
    most = np.zeros(len(compared.ends))
    np.maximum.at(most, sides.ravel(), np.repeat(excess, 3))
    score = np.where(compared.of_row >= 0, most[np.maximum(compared.of_row, 0)], 0.0)
    rows = np.flatnonzero(score > 0)
    rows = rows[np.argsort(-score[rows], kind="stable")]
    return RowScores(rows, np.minimum(score[rows], 1.0))


DIAGNOSTIC = Diagnostic(
    name="cycles",
    threat="misspecification",
    question="Do votes go round in circles more often than rewards let them?",
    unit="more triads whose votes go round",
    matters=MATTERS,
    reference=REFERENCE,
    null="in triads of responses at most this much more goes round than by rewards with the same "
    "votes",
    measure=cycles,
    source="Bradley and Terry (1952); curl: Jiang et al. (2011), HodgeRank",
)
