"""What diagnostics of a reward model read: pairs, rewards, and those of edited or cut texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.material import Names
from surefoot.auditing.models.edits import Edit, another_prompts
from surefoot.auditing.models.samples import PolicySamples, SampledMaterial
from surefoot.auditing.preference_material import PreferenceMaterial
from surefoot.data.text import Message, Prompt, to_text
from surefoot.scorers.trained import TrainedScorer, rewards_of

#: Pairs whose responses are edited, at most: each edit scores them anew.
MOST_EDITED = 300
#: Parts of a response, by words, that are scored as if it ended there.
PARTS = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Change:
    """Rewards of M responses, each as it is and after something was done to it."""

    rows: Ints  #: (M,) position of the pair
    side: Ints  #: (M,) 0 or 1 of the pair
    before: Floats  #: (M,)
    after: Floats  #: (M,)


@dataclass(frozen=True)
class Prefixes:
    """Rewards of both responses of M pairs, and of their beginnings."""

    rows: Ints  #: (M,) position of the pair
    rewards: Floats  #: (M, 2, len(PARTS) + 1), the whole response last


class RewardMaterial(SampledMaterial, Protocol):
    """What diagnostics read of a reward model: on comparisons, edited texts, a policy's samples."""

    @property
    def placed(self) -> Floats:
        """1 where a response's place may have moved the label, 0 where it is the label, (N,)."""

    @property
    def groupings(self) -> dict[str, Names]:
        """Columns that name parts of the data, with two different names or more, (N,)."""

    @property
    def log_odds(self) -> Floats:
        """Log-odds by the model that a is preferred, (N,)."""

    def edited(self, edit: Edit) -> Change:
        """Rewards of some responses before and after an edit, where it applies."""

    @property
    def elsewhere(self) -> Change:
        """Rewards of some preferred responses to their prompt, and of another prompt's to it."""

    @property
    def prefixes(self) -> Prefixes:
        """Rewards of some responses and of their beginnings."""


def deviation(material: RewardMaterial) -> float:
    """Standard deviation of rewards of responses to one prompt: the unit of what edits do."""
    w = material.weights / material.weights.sum()
    return float(np.sqrt(w @ np.square(material.rewards[:, 0] - material.rewards[:, 1]) / 2))


@dataclass(frozen=True)
class ScoredPreferences(PreferenceMaterial):
    """Preferences beside the model that scores them.

    Attributes:
        model: gives rewards.
        samples: what a policy wrote, scored by the same model.
    """

    model: TrainedScorer = field(kw_only=True)
    samples: PolicySamples | None = field(kw_only=True, default=None)

    @cached_property
    def rewards(self) -> Floats:
        """Of both responses, (N, 2).

        Raises:
            ConfigurationError: the model judges pairs, and has no reward of a response alone.
        """
        return np.asarray(self.model.rewards(self.preferences), dtype=np.float64)

    @property
    def log_odds(self) -> Floats:
        """Log-odds that a is preferred, (N,), at the temperature of the model."""
        return (self.rewards[:, 0] - self.rewards[:, 1]) / self.model.temperature_

    @cached_property
    def _some(self) -> tuple[Ints, list[Prompt], list[list[str]]]:
        """Positions of pairs that are edited, their prompts, and the texts of both responses."""
        rng = np.random.default_rng([self.seed, 23])
        live = np.flatnonzero(self.weights > 0)
        rows = np.sort(rng.permutation(live)[:MOST_EDITED])
        some = self.preferences.select(rows)
        sides = [[to_text(a), to_text(b)] for a, b in some.read("response_a", "response_b")]
        return rows, list(some.prompts()), sides

    def edited(self, edit: Edit) -> Change:
        """Rewards of responses before and after an edit, of at most 300 pairs.

        A response whose prompt stays is scored beside itself as it was, so that a model that cuts
        long prompts cuts both alike.
        """
        rows, prompts, texts = self._some
        rng = np.random.default_rng([self.seed, 29])
        places, asked, scored = [], [], []
        for row, prompt, sides in zip(rows.tolist(), prompts, texts, strict=True):
            for side, text in enumerate(sides):
                changed = edit.apply(prompt, text, rng)
                if changed is not None:
                    places.append((row, side))
                    same = changed[0] == prompt
                    asked += [prompt] if same else [prompt, changed[0]]
                    scored += [[text, changed[1]]] if same else [[text], [changed[1]]]
        found = np.concatenate([np.empty(0), *rewards_of(self.model, asked, _turns(scored))])
        at = np.array(places, dtype=np.int64).reshape(-1, 2)
        return Change(at[:, 0], at[:, 1], found[::2], found[1::2])

    @cached_property
    def elsewhere(self) -> Change:
        """Rewards of preferred responses to their prompt, and of another prompt's to it."""
        rows, prompts, texts = self._some
        decided = np.flatnonzero(self.labels[rows] != 0.5)
        side = (self.labels[rows[decided]] < 0.5).astype(np.int64)
        other = another_prompts(self.prompts[rows[decided]], np.random.default_rng(self.seed))
        pairs = [
            [texts[i][s], texts[decided[o]][side[o]]]
            for i, s, o in zip(decided.tolist(), side.tolist(), other.tolist(), strict=True)
            if o >= 0
        ]
        kept = [prompts[i] for i, o in zip(decided.tolist(), other.tolist(), strict=True) if o >= 0]
        rewards = np.array(rewards_of(self.model, kept, _turns(pairs))).reshape(-1, 2)
        there = other >= 0
        return Change(rows[decided][there], side[there], rewards[:, 0], rewards[:, 1])

    @cached_property
    def prefixes(self) -> Prefixes:
        """Rewards of responses of four words or more, and of their beginnings."""
        rows, prompts, texts = self._some
        kept = [i for i, sides in enumerate(texts) if min(len(s.split()) for s in sides) >= 4]
        cut = [[_begun(side, part) for side in texts[i] for part in (*PARTS, 1.0)] for i in kept]
        found = rewards_of(self.model, [prompts[i] for i in kept], _turns(cut))
        rewards = np.array(found, dtype=np.float64).reshape(-1, 2, len(PARTS) + 1)
        return Prefixes(rows[kept], rewards)


def _begun(text: str, part: float) -> str:
    """The first words of a text, so many of them; what is between them stays."""
    words = list(re.finditer(r"\S+", text))
    return text[: words[max(round(part * len(words)), 1) - 1].end()] if part < 1 else text


def _turns(texts: list[list[str]]) -> list[list[list[Message]]]:
    return [[[Message(role="assistant", content=text)] for text in some] for some in texts]
