"""What every trained scorer is, which rows it can read, and its rewards of single responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.rendering.notes import MOST_REFUSED, REFUSED, Cuts
from surefoot.data.schema import Fault, Preferences
from surefoot.data.text import Message, Prompt, to_text
from surefoot.errors import ConfigurationError, DataError
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


class PairReader(Protocol):
    """A trained scorer, or a model that is yet to write."""

    def refusals(self, preferences: Preferences) -> dict[int, Fault]:
        """Rows that it cannot read, by their positions, and why."""
        ...


def readable(
    models: Iterable[PairReader], preferences: Preferences, say: Callable[[str], None]
) -> Preferences:
    """The rows that every model can read; the others are added to the faults, as unusable ones.

    `say` is called with a line on these.

    Raises:
        DataError: more than half of the rows are refused.
    """
    refused = {k: v for one in models for k, v in one.refusals(preferences).items()}
    if not refused:
        return preferences
    first = refused[min(refused)]
    message = (
        f"{preferences.name}: {len(refused)} of {len(preferences)} pairs {REFUSED.predicate}, the "
        f"first in {first.file}, row {first.row}: {first.reason}."
    )
    if len(refused) > MOST_REFUSED * len(preferences):
        raise DataError(f"{message} {REFUSED.remedy}")
    say(f"warning: {message}")
    kept = [row for row in range(len(preferences)) if row not in refused]
    faults = (*preferences.faults, *(refused[row] for row in sorted(refused)))
    return replace(preferences.select(np.array(kept)), faults=faults)


def rewards_of(
    model: TrainedScorer,
    prompts: Sequence[Prompt],
    responses: Sequence[Sequence[list[Message]]],
    sources: Sequence[str | None] | None = None,
    name: str = "responses",
) -> list[Floats]:
    """Rewards (N_i,) of the N_i responses to each of P prompts.

    Two responses to one prompt are scored beside each other, the last of an odd number beside
    itself. Where a language model has to cut a prompt, both of a pair lose the same part of it.

    Raises:
        ConfigurationError: the model judges pairs.
        DataError: a reward is not finite; the message names the prompt.
    """
    return _each(model.rewards, prompts, responses, sources, name)


def member_rewards_of(
    model: TrainedScorer,
    prompts: Sequence[Prompt],
    responses: Sequence[Sequence[list[Message]]],
    name: str = "responses",
) -> list[Floats]:
    """Rewards (N_i, K) of the N_i responses to each of P prompts by each of the K members.

    :meth:`TrainedScorer.joined` makes one reward of them.

    Raises:
        ConfigurationError: the model judges pairs.
        DataError: a reward is not finite; the message names the prompt.
    """
    if model.members > 1 and not model.pairwise:
        return _each(model.member_scores, prompts, responses, None, name)
    found = _each(model.rewards, prompts, responses, None, name)
    return [rewards[:, None] for rewards in found]


def _each(
    score: Callable[[Preferences], Floats],
    prompts: Sequence[Prompt],
    responses: Sequence[Sequence[list[Message]]],
    sources: Sequence[str | None] | None,
    name: str,
) -> list[Floats]:
    """Scores (N, 2, ...) of pairs as those of the responses that make them, (N_i, ...) each."""
    rows = [
        {
            **prompts[i]._asdict(),
            "response_a": texts[k],
            "response_b": texts[min(k + 1, len(texts) - 1)],
            "label": 0.5,
            "source": sources[i] if sources is not None else None,
        }
        for i, texts in enumerate(responses)
        for k in range(0, len(texts), 2)
    ]
    if not rows:
        return [np.empty(0) for _ in responses]
    scored = np.asarray(score(Preferences.from_rows(rows, name)), dtype=np.float64)
    rewards, start = [], 0
    for i, texts in enumerate(responses):
        end = start + (len(texts) + 1) // 2
        scores = scored[start:end].reshape(-1, *scored.shape[2:])[: len(texts)]
        finite = np.isfinite(scores).reshape(len(texts), -1).all(1)
        if not finite.all():
            prompt = " ".join(to_text(prompts[i].prompt).split())[:60]
            text = to_text(texts[int((~finite).argmax())])[:60]
            raise DataError(
                f"the reward of {text!r} to the prompt {prompt!r} is not finite: the reward model "
                "cannot be used on it."
            )
        rewards.append(scores)
        start = end
    return rewards
