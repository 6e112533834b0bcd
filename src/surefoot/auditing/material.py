"""What diagnostics read of comparisons, whatever these come from; each part is computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Floats, Ints
from surefoot.auditing.embedded_prompts import EmbeddedPrompts
from surefoot.auditing.two_sides import TwoSides
from surefoot.auditing.words import WordUse

if TYPE_CHECKING:  # what is quick needs no torch
    from surefoot.objectives import Objective
    from surefoot.scorers import EmbeddingScorer
    from surefoot.scorers.head import CrossValidation, Problem

Names = npt.NDArray[Any]


@dataclass(frozen=True)
class Votes:
    """Votes on pairs.

    Attributes:
        pair: (V,) position of the row that it is on.
        annotator: (V,) who voted, numbered by `names`; -1 where that is not said.
        value: (V,) 1 for the first response, 0 for the second, 0.5 for a tie.
        names: of the annotators.
        repeats: how many votes were left out, as the same person's on the same two responses.
    """

    pair: Ints
    annotator: Ints
    value: Floats
    names: tuple[str, ...] = ()
    repeats: int = 0

    def once(self, responses: Ints) -> Votes:
        """The first vote of every named annotator on the same two responses, and all of nobody.

        What a person says twice is no second opinion: it would count as agreement.

        Args:
            responses: (N, 2) keys of the responses of rows, in either order.
        """
        _, same = np.unique(np.sort(responses, axis=1), axis=0, return_inverse=True)
        named = np.flatnonzero(self.annotator >= 0)
        key = same.reshape(-1)[self.pair[named]] * len(self.names) + self.annotator[named]
        kept = self.annotator < 0
        kept[named[np.unique(key, return_index=True)[1]]] = True
        return Votes(
            self.pair[kept],
            self.annotator[kept],
            self.value[kept],
            self.names,
            self.repeats + int((~kept).sum()),
        )

    @property
    def in_words(self) -> str:
        """A sentence on what was left out, if anything was."""
        left = "vote by somebody" if self.repeats == 1 else "votes by people"
        return (
            f" {self.repeats:,} {left} who had voted on the same two responses before "
            "count for nothing."
            if self.repeats
            else ""
        )

    def counts(self, rows: int) -> Ints:
        """Decided votes for the first response and for either on each row, (rows, 2)."""
        decided = self.value != 0.5
        pair, first = self.pair[decided], self.value[decided] > 0.5
        sides = [np.bincount(p, minlength=rows) for p in (pair[first], pair)]
        return np.stack(sides, axis=1).astype(np.int64)


class Placed(Protocol):
    """What counts of N comparisons, and where their better responses stand."""

    @property
    def weights(self) -> Floats:
        """Of rows, (N,)."""

    @property
    def placed(self) -> Floats:
        """1 where a response's place may have moved the label, 0 where it is the label, (N,)."""


class Material(Protocol):
    """What diagnostics read of N comparisons."""

    @property
    def labels(self) -> Floats:
        """P(a preferred) as labelled, (N,)."""

    @property
    def weights(self) -> Floats:
        """Of rows, (N,)."""

    @property
    def placed(self) -> Floats:
        """1 where a response's place may have moved the label, 0 where it is the label, (N,)."""

    @property
    def prompts(self) -> Ints:
        """Key of each row's prompt, (N,): what rows share."""

    @property
    def responses(self) -> Ints:
        """Keys of the responses, (N, 2), alike where the prompt and the text are."""

    @property
    def authors(self) -> Names:
        """What wrote the responses, (N, 2), None where that is not said."""

    @property
    def time(self) -> Floats:
        """When each row was labelled, (N,), NaN where that is not said."""

    @property
    def groupings(self) -> dict[str, Names]:
        """Columns that name parts of the data, with two different names or more, (N,)."""

    @property
    def votes(self) -> Votes:
        """One vote of a person on two responses; none where the data have no column of them."""

    @property
    def contrasts(self) -> dict[str, Floats]:
        """By feature of form, that of response a less that of response b, (N,)."""

    @property
    def wording(self) -> WordUse:
        """Common words and marks of response a less those of response b."""

    @property
    def asked(self) -> WordUse:
        """Common words and marks of the prompts' last turns."""

    @property
    def problem(self) -> Problem:
        """A fit of a linear head to the labels, on embeddings of all responses."""

    def problem_of(self, scorer: EmbeddingScorer, objective: Objective) -> Problem:
        """A fit of a scorer's head under an objective, on embeddings of all responses.

        Raises:
            SurefootError: they do not go together, or ask for what the comparisons do not have.
        """

    @property
    def validated(self) -> CrossValidation:
        """Margins out of fold, prompts apart, and the ridge penalty that was chosen for them."""

    @property
    def margins(self) -> Floats:
        """Log-odds that a is preferred, (N,), by a linear head that saw no pair of the prompt."""

    @property
    def training(self) -> EmbeddedPrompts:
        """The distinct prompts, embedded."""

    @property
    def deployment(self) -> EmbeddedPrompts | None:
        """Distinct prompts of where a model will be used, embedded; None where none are given."""

    @property
    def sides(self) -> TwoSides | None:
        """The prompts of both that are compared; None where none of deployment are given."""

    @property
    def clusters(self) -> int:
        """How many clusters of prompts are asked for where prompts are compared."""

    @property
    def centroids(self) -> Floats:
        """Of the clusters that a run with `unit: cluster` makes of the training prompts, (C, D)."""

    @property
    def seed(self) -> int:
        """Of what is drawn."""

    def folds(self, count: int) -> Ints:
        """The fold of each row, (N,), prompts apart."""


def validated(problem: Problem, fold: Ints) -> CrossValidation:
    """Linear heads of a fit, each tried on the rows (N,) of its fold."""
    import torch

    from surefoot.scorers.head import cross_validate
    from surefoot.scorers.heads.linear import Linear

    return cross_validate(Linear(), problem, torch.from_numpy(fold))


def log_odds(problem: Problem, found: CrossValidation) -> Floats:
    """Margins out of fold (N,), in the scale of probabilities."""
    from surefoot.scorers.temperature import fit_temperature

    temperature = fit_temperature(found.margins, problem.evidence.label, problem.mass[:, 0])
    return np.asarray(found.margins, dtype=np.float64) / temperature.value
