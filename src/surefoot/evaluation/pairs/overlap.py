"""Test prompts that a model has seen in training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.data.prompts import training_prompt_keys
from surefoot.data.schema import Preferences
from surefoot.statistics.estimate import fields_ready

__all__ = ["Overlap", "prompt_overlap", "training_prompt_keys"]


@dataclass(frozen=True)
class Overlap:
    """How many test rows have a prompt that occurs in training."""

    rows: int  #: number of such rows
    prompts: int  #: number of distinct such prompts
    n: int  #: number of test rows

    @property
    def share(self) -> float:
        """Share of test rows; 0 for an empty test set."""
        return self.rows / self.n if self.n else 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: exact counts, which have no interval."""
        return fields_ready(self) | {"share": self.share}


def prompt_overlap(training_keys: Iterable[int], preferences: Preferences) -> Overlap:
    """Count the rows whose prompt (blind to case and spacing) is among the keys of training."""
    keys = preferences.prompt_keys()
    seen = np.isin(keys, np.fromiter(training_keys, dtype=np.int64))
    return Overlap(int(seen.sum()), len(np.unique(keys[seen])), len(keys))
