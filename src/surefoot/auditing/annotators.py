"""Votes of people who are named, beside the other votes on the same pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnostic import Lacking, RowScores
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Dots
from surefoot.statistics.agreement import BesideOthers, beside_others
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect, Sides

#: Votes of an annotator on pairs that others voted on, to be judged.
FEWEST_VOTES = 30
#: Annotators, to compare one of them with the others.
FEWEST_ANNOTATORS = 3
#: Annotators in a picture.
MOST_DRAWN = 25

#: Where the others agree among themselves little more than coins do, skill cannot be measured.
LEAST_AGREEMENT = 0.1

#: From the positions of one annotator's votes: an effect; parts (n,) of which the mean divided by a
#: scale has the effect's error; and that scale.
Effect = Callable[[Ints], tuple[float, Floats, float]]


@dataclass(frozen=True)
class NamedVotes:
    """Votes of named annotators on pairs with enough others."""

    pair: Ints  #: (M,) position of the row
    who: Ints  #: (M,) number of the annotator
    value: Floats  #: (M,) in [0, 1]
    beside: BesideOthers  #: the others on each pair, of the same M votes
    prompt: Ints  #: (M,) key of the pair's prompt
    weight: Floats  #: (M,) of the row
    queue: Floats  #: (M,) place in time, or where that is not said for every row in the data
    names: tuple[str, ...]  #: of the annotators
    #: those with enough votes on pairs of enough prompts, and their votes' positions
    judged: dict[int, Ints]

    @classmethod
    def of(
        cls, material: Material, others: int, name: str, placed: bool = False
    ) -> NamedVotes | Lacking:
        """Votes with so many others on their pair; what is lacking, for a diagnostic's name.

        With `placed` only votes count that a response's place may have moved.
        """
        votes = material.votes
        beside = beside_others(votes.pair, votes.value)
        weights = material.weights[votes.pair]
        if placed:
            weights = weights * (material.placed[votes.pair] > 0)
        kept = np.flatnonzero((votes.annotator >= 0) & (beside.others >= others) & (weights > 0))
        pair, who = votes.pair[kept], votes.annotator[kept]
        time = material.time[pair]
        found = cls(
            pair=pair,
            who=who,
            value=votes.value[kept],
            beside=beside.at(kept),
            prompt=material.prompts[pair],
            weight=weights[kept],
            queue=time if np.isfinite(time).all() else pair.astype(np.float64),
            names=votes.names,
            judged={},
        )
        order = np.argsort(who, kind="stable")
        cuts = np.flatnonzero(np.diff(who[order])) + 1
        for rows in np.split(order, cuts) if len(order) else ():
            if len(rows) >= FEWEST_VOTES and len(np.unique(found.prompt[rows])) >= FEWEST_CLUSTERS:
                found.judged[int(who[rows[0]])] = rows
        if len(found.judged) >= FEWEST_ANNOTATORS:
            return found
        return Lacking(
            f"{name}: {FEWEST_ANNOTATORS} annotators or more (--column annotator=...) with "
            f"{FEWEST_VOTES} votes each on pairs of {FEWEST_CLUSTERS} prompts that {others} "
            f"other{'s' * (others != 1)} voted on, too; "
            f"there are {len(found.judged)} such annotators."
        )

    def where_others_agree(self) -> NamedVotes:
        """Judged only are those on whose pairs the others agree more than coins do."""
        clear = {
            one: rows
            for one, rows in self.judged.items()
            if self.mean(self.beside.among, rows) > LEAST_AGREEMENT
        }
        return replace(self, judged=clear)

    def name(self, annotator: int) -> str:
        """Of an annotator, on one line."""
        return repr(self.names[annotator])

    def test(self, rows: Ints, effect: Effect, matters: float, sides: Sides) -> MinimumEffect:
        """An effect of votes at these positions, with an error that allows for shared prompts."""
        value, parts, scale = effect(rows)
        found = spread(parts, Dependence.of(self.prompt[rows], len(rows)), self.weight[rows])
        error = max(found.error, 1 / len(rows)) / scale  # equal values are no certainty
        return MinimumEffect(value, error, found.freedom, matters, sides)

    def tests(
        self, effect: Effect, matters: float, sides: Sides = "above"
    ) -> dict[int, MinimumEffect]:
        """One test of an effect for every annotator who is judged."""
        return {one: self.test(rows, effect, matters, sides) for one, rows in self.judged.items()}

    def mean(self, values: Floats, rows: Ints) -> float:
        """Weighted mean of values (M,) over votes at these positions."""
        return float(np.average(values[rows], weights=self.weight[rows]))

    def rows_of(self, annotator: int, score: float) -> RowScores:
        """The rows that an annotator voted on, all with one score."""
        rows = np.unique(self.pair[self.judged[annotator]])
        return RowScores(rows, np.full(len(rows), float(np.clip(score, 0, 1))))

    def figures(self, tests: dict[int, MinimumEffect], figure: str) -> dict[str, dict[str, float]]:
        """Every annotator's votes and effect with its own interval, JSON-ready."""
        return {
            self.names[one]: {
                "votes": size.n,
                figure: float(size.estimate or 0.0),
                "low": float(size.low or 0.0),
                "high": float(size.high or 0.0),
            }
            for one, size in self._sizes(tests).items()
        }

    def picture(self, tests: dict[int, MinimumEffect], picked: int, axis: str) -> Dots:
        """Annotators with their intervals, the farthest out first."""
        order = sorted(tests, key=lambda one: (one != picked, tests[one].p_value))[:MOST_DRAWN]
        sizes = self._sizes({one: tests[one] for one in order})
        matters, sides = tests[picked].matters, tests[picked].sides
        return Dots(
            names=[self.names[one] for one in order],
            series={"annotator": list(sizes.values())},
            axis=axis,
            band=(-matters if sides == "either" else None, matters),
            picked=[self.names[picked]],
        )

    def _sizes(self, tests: dict[int, MinimumEffect]) -> dict[int, Estimate]:
        return {one: test.estimate(len(self.judged[one]), "votes") for one, test in tests.items()}
