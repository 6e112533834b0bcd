"""The distinct prompts of a data set, as vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.data import Preferences
from surefoot.data.text import last_turn

if TYPE_CHECKING:
    from surefoot.scorers import Encoder


@dataclass(frozen=True)
class EmbeddedPrompts:
    """P distinct prompts of N rows.

    Prompts that differ in case and spacing are one; of their spellings the first in the alphabet
    is taken, so that the order of rows has no part in it.
    """

    texts: tuple[str, ...]  #: (P,) their last turns
    keys: Ints  #: (P,) that are equal where two sets share a prompt, ascending
    vectors: Floats  #: (P, D) embeddings of the texts
    rows: Ints  #: (P,) position of a row that has it
    of_rows: Ints  #: (N,) the prompt of each row; -1 where it is left out
    dialogues: Ints  #: (P,) that are equal where two prompts begin with the same turn

    def __len__(self) -> int:
        """P, the number of prompts."""
        return len(self.keys)

    @classmethod
    def of(cls, preferences: Preferences, encoder: Encoder) -> Self:
        """The prompts of comparisons, or of prompts with empty responses."""
        texts = np.array([last_turn(prompt) for (prompt,) in preferences.read("prompt")], object)
        order = np.argsort(texts, kind="stable")
        ordered, first = np.unique(preferences.prompt_keys()[order], return_index=True)
        rows = order[first]
        vectors = encoder.embed(texts[rows].tolist(), keep="right").astype(np.float64)
        of_rows = np.searchsorted(ordered, preferences.prompt_keys())
        dialogues = preferences.opening_keys()[rows]
        return cls(tuple(texts[rows]), ordered, vectors, rows, of_rows, dialogues)

    def weighed(self, weights: Floats) -> EmbeddedPrompts:
        """The prompts that have a weight, by weights (N,) of rows."""
        given = self.of_rows >= 0
        return self.some(np.bincount(self.of_rows[given], weights[given], len(self)) > 0)

    def some(self, kept: Bools) -> EmbeddedPrompts:
        """The prompts that are kept, by a mask (P,)."""
        place = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
        texts = tuple(text for text, one in zip(self.texts, kept.tolist(), strict=True) if one)
        return EmbeddedPrompts(
            texts,
            self.keys[kept],
            self.vectors[kept],
            self.rows[kept],
            place[self.of_rows],
            self.dialogues[kept],
        )

    def shared_with(self, other: EmbeddedPrompts) -> Bools:
        """Whether each prompt is one of the other set's, too, (P,)."""
        return np.isin(self.keys, other.keys)
