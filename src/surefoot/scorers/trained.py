"""What every trained scorer is: scores of pairs, and what follows from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.rendering.notes import Cuts
from surefoot.data.schema import Fault, Preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers.temperature import to_probabilities


class TrainedScorer(ABC):
    """A head on embeddings, a language model, several of these as one, or a scorer of your own.

    Your own defines :attr:`pairwise` and :meth:`scores`.
    """

    scorer: Any  #: the options that it was trained with; your own has none
    temperature_: float = 1.0  #: P(a preferred) is sigma(difference of scores / temperature)
    cuts: Cuts | None = None  #: what a language model cut of the texts that it scored last

    @property
    @abstractmethod
    def pairwise(self) -> bool:
        """Whether it judges pairs, and has no reward of a response alone."""

    @abstractmethod
    def scores(self, preferences: Preferences) -> Floats:
        """Scores (N, 2) of both responses, whose difference is the margin of a pair.

        They are rewards, if there are any; else half the margin and its opposite.
        """

    def rewards(self, preferences: Preferences) -> Floats:
        """Rewards (N, 2) of both responses: of what surefoot trained, in deviations of training.

        Raises:
            ConfigurationError: it judges pairs.
        """
        if self.pairwise:
            raise ConfigurationError(
                f"{self.label()} judges pairs: a response alone has no reward. Use the "
                "probabilities of pairs, or their margins (`scores`)."
            )
        return self.scores(preferences)

    def probabilities(self, preferences: Preferences) -> Floats:
        """P(a preferred) of each pair, shape (N,)."""
        scores = self.scores(preferences)
        return self.to_probabilities(scores[:, 0] - scores[:, 1])

    def to_probabilities(self, margins: Floats) -> Floats:
        """P(a preferred) from margins (differences of scores), any shape; in [1e-6, 1 - 1e-6]."""
        return to_probabilities(margins, self.temperature_)

    def member_scores(self, preferences: Preferences) -> Floats:
        """Scores (N, 2, K) by each of its K members, on one scale."""
        return self.scores(preferences)[..., None]

    def joined(self, scores: Floats) -> Floats:
        """Scores (N, 2) from those of the members (N, 2, K): their mean."""
        return np.asarray(scores.mean(-1))

    @property
    def members(self) -> int:
        """K, the number of its members."""
        return 1

    @property
    def known_flip_rate(self) -> float | None:
        """The share of labels that its training took to be flipped; None: nobody knows."""
        return None

    def notes(self) -> list[str]:
        """Sentences on what it could not read of the data that it scored last."""
        return []

    def reading_notes(self) -> list[str]:
        """Sentences on how models that surefoot did not train are read."""
        return []

    def refusals(self, preferences: Preferences) -> dict[int, Fault]:
        """Rows that it cannot read, by their positions, and why."""
        return {}

    def label(self) -> str:
        """What messages call it."""
        options = vars(self).get("scorer")
        return type(self).__name__ if options is None else str(options.label())
