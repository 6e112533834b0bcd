"""Test prompts that a model has seen in training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.data.schema import Preferences, key_of


@dataclass(frozen=True)
class Overlap:
    """How many test rows have a prompt that occurs in training.

    Attributes:
        rows: number of such rows.
        prompts: number of distinct such prompts.
        n: number of test rows.
    """

    rows: int
    prompts: int
    n: int

    @property
    def share(self) -> float:
        """Share of test rows; 0 for an empty test set."""
        return self.rows / self.n if self.n else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: exact counts, which have no interval."""
        return {"rows": self.rows, "prompts": self.prompts, "n": self.n, "share": self.share}


def training_prompt_keys(preferences: Preferences) -> set[int]:
    """Keys of all prompts, and of the first user turn of those that are dialogues.

    A test prompt that opens a longer training dialogue was seen too: of 129 chat prompts of
    RM-Bench, 22 are whole prompts of HH helpful, and 37 open one.
    """
    openings = {
        key_of(turn["content"])
        for prompt in preferences.dataset["prompt"]
        for turn in [next((m for m in prompt if m["role"] == "user"), None)]
        if turn is not None
    }
    return openings | set(preferences.prompt_keys().tolist())


def prompt_overlap(training_keys: Iterable[int], preferences: Preferences) -> Overlap:
    """Count the rows whose prompt (blind to case and spacing) occurs in training.

    Args:
        training_keys: :func:`training_prompt_keys` of the training data.
        preferences: the test pairs.
    """
    keys = preferences.prompt_keys()
    seen = np.isin(keys, np.fromiter(training_keys, dtype=np.int64))
    return Overlap(int(seen.sum()), len(np.unique(keys[seen])), len(keys))
