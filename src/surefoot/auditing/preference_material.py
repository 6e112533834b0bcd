"""Material from preferences: what diagnostics read of a file, each part made when asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.embedded_prompts import EmbeddedPrompts
from surefoot.auditing.features import FEATURES
from surefoot.auditing.material import Names, Votes, log_odds, validated
from surefoot.auditing.two_sides import TwoSides
from surefoot.auditing.words import WordUse, rows_read, word_use
from surefoot.data import Preferences
from surefoot.data.schema import ORDER
from surefoot.data.splits import folds
from surefoot.data.text import last_turn, to_text

if TYPE_CHECKING:  # what is quick needs no torch
    from surefoot.objectives import Objective
    from surefoot.scorers import EmbeddingScorer, Encoder
    from surefoot.scorers.head import CrossValidation, Problem


def offline_encoder() -> Encoder:
    """The encoder that is read with where none is given."""
    from surefoot.scorers import Encoder

    return Encoder()


@dataclass(frozen=True)
class PreferenceMaterial:
    """Material from preferences; what is costly is made when a diagnostic first asks for it.

    Attributes:
        preferences: the comparisons.
        encoder: makes the encoder that texts are read with.
        seed: of folds and clusters.
        deployed: prompts of where a model will be used, or comparisons, if there are any.
        clusters: how many clusters of prompts are asked for where prompts are compared.
    """

    preferences: Preferences
    encoder: Callable[[], Encoder] = offline_encoder
    seed: int = 0
    deployed: Preferences | None = None
    clusters: int = 16

    @cached_property
    def labels(self) -> Floats:
        """P(a preferred) as labelled, (N,)."""
        return self.preferences.labels

    @cached_property
    def weights(self) -> Floats:
        """Of rows, (N,)."""
        return self.preferences.weights

    @cached_property
    def placed(self) -> Floats:
        """1 where a response's place may have moved the label, 0 where it is the label, (N,)."""
        origins = np.array(self.preferences.strings("label_from"), dtype=object)
        return (origins != ORDER).astype(np.float64)

    @cached_property
    def prompts(self) -> Ints:
        """Key of each row's prompt, (N,): what rows share."""
        return self.preferences.prompt_keys()

    @cached_property
    def responses(self) -> Ints:
        """Keys of the responses, (N, 2), alike where the prompt and the text are."""
        return self.preferences.response_keys()

    @cached_property
    def authors(self) -> Names:
        """What wrote the responses, (N, 2), None where that is not said."""
        sides = (self.preferences.strings(name) for name in ("model_a", "model_b"))
        return np.array(list(zip(*sides, strict=True)), dtype=object).reshape(-1, 2)

    @cached_property
    def time(self) -> Floats:
        """When each row was labelled, (N,), NaN where that is not said."""
        return self.preferences.numbers("time")

    @cached_property
    def groupings(self) -> dict[str, Names]:
        """Columns that name parts of the data, with two different names or more, (N,)."""
        found = {}
        for column in ("source", "group"):
            names = np.array(self.preferences.strings(column), dtype=object)
            if len({name for name in names if name is not None}) > 1:
                found[column] = names
        return found

    @cached_property
    def votes(self) -> Votes:
        """One vote of a person on two responses; none where the data have no column of them."""
        rows, who, values = [], [], []
        if self.preferences.has("votes"):
            for row, (votes,) in enumerate(self.preferences.read("votes")):
                for vote in votes or ():
                    rows.append(row)
                    who.append(vote["annotator"])
                    values.append(vote["value"])
        names = tuple(sorted({name for name in who if name is not None}))
        number = {name: i for i, name in enumerate(names)}
        every = Votes(
            np.array(rows, dtype=np.int64),
            np.array([number.get(name, -1) for name in who], dtype=np.int64),
            np.array(values, dtype=np.float64),
            names,
        )
        return every.once(self.responses) if names else every

    @cached_property
    def contrasts(self) -> dict[str, Floats]:
        """By feature of form, that of response a less that of response b, (N,)."""
        read = self.preferences.read("prompt", "response_a", "response_b")
        found = np.empty((len(self.preferences), len(FEATURES)))
        for row, (prompt, a, b) in enumerate(read):
            asked, first, second = last_turn(prompt), to_text(a), to_text(b)
            for k, one in enumerate(FEATURES):
                found[row, k] = one.measure(asked, first) - one.measure(asked, second)
        return dict(zip((one.name for one in FEATURES), found.T, strict=True))

    @cached_property
    def wording(self) -> WordUse:
        """Common words and marks of response a less those of response b."""
        rows = rows_read(len(self.preferences), self.seed)
        return word_use(rows, *self.preferences.select(rows).texts("response"))

    @cached_property
    def asked(self) -> WordUse:
        """Common words and marks of the prompts' last turns."""
        rows = rows_read(len(self.preferences), self.seed)
        return word_use(rows, self.preferences.select(rows).texts("last-turn")[0])

    @cached_property
    def problem(self) -> Problem:
        """A fit of a linear head to the labels, on embeddings of all responses."""
        from surefoot.objectives import Objective
        from surefoot.scorers import EmbeddingScorer

        return self.problem_of(EmbeddingScorer(), Objective())

    def problem_of(self, scorer: EmbeddingScorer, objective: Objective) -> Problem:
        """A fit of a scorer's head under an objective, on embeddings of all responses.

        Clusters of prompts are those that a run makes.

        Raises:
            SurefootError: they do not go together, or ask for what the comparisons do not have.
        """
        from surefoot.scorers.embeddings.clusters import PromptClusters
        from surefoot.scorers.fit.task import Task

        data, risk = self.preferences, objective.risk
        if risk.unit == "cluster" and not data.has("cluster"):
            data = PromptClusters.fit(data, self._reader, risk.clusters, self.seed).beside(
                data, self._reader
            )
        return Task.of(scorer, objective, data).problem(self._reader, [self.seed])[0]

    @cached_property
    def validated(self) -> CrossValidation:
        """Margins out of fold, prompts apart, and the ridge penalty that was chosen for them."""
        return validated(self.problem, self.folds(5))

    @cached_property
    def margins(self) -> Floats:
        """Log-odds that a is preferred, (N,), by a linear head that saw no pair of the prompt."""
        return log_odds(self.problem, self.validated)

    @cached_property
    def training(self) -> EmbeddedPrompts:
        """The distinct prompts, embedded."""
        return EmbeddedPrompts.of(self.preferences, self._reader)

    @cached_property
    def deployment(self) -> EmbeddedPrompts | None:
        """Distinct prompts of where a model will be used, embedded; None where none are given."""
        return None if self.deployed is None else EmbeddedPrompts.of(self.deployed, self._reader)

    @cached_property
    def sides(self) -> TwoSides | None:
        """The prompts of both that are compared; None where none of deployment are given."""
        if self.deployment is None:
            return None
        return TwoSides.of(self.training, self.deployment, self.weights, self.seed)

    @cached_property
    def centroids(self) -> Floats:
        """Of the clusters that a run with `unit: cluster` makes of the training prompts, (C, D)."""
        from surefoot.scorers.embeddings.clusters import PromptClusters

        return PromptClusters.fit(
            self.preferences, self._reader, self.clusters, self.seed
        ).centroids

    @cached_property
    def _reader(self) -> Encoder:
        return self.encoder()

    def folds(self, count: int) -> Ints:
        """The fold of each row, (N,), prompts apart."""
        return folds(self.preferences, count, "prompt", self.seed)
