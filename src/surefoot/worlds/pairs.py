"""Comparisons whose truth is known, and damage planted among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.data import Preferences


@dataclass(frozen=True)
class WorldPairs:
    """N comparisons of a world."""

    name: str  #: what messages call them
    #: under the data contract, with the labels that annotators gave (0 or 1)
    rows: tuple[Mapping[str, Any], ...]
    rewards: Floats  #: true rewards of both responses, shape (N, 2)
    #: whether the label was flipped after it was drawn from the truth, shape (N,)
    flipped: Bools
    lengths: Ints  #: sentences of filler in both responses, shape (N, 2)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def observed(self) -> Preferences:
        """The comparisons with the labels that annotators gave."""
        return Preferences.from_rows(self.rows, self.name)

    @cached_property
    def clean(self) -> Preferences:
        """The comparisons with the true P(a preferred) as their label."""
        return self.observed.with_labels(self.truth)

    @property
    def truth(self) -> Floats:
        """True P(a preferred) before any flip, shape (N,): Bradley-Terry on the rewards."""
        probability: Floats = 1 / (1 + np.exp(self.rewards[:, 1] - self.rewards[:, 0]))
        return probability


@dataclass(frozen=True)
class Damaged:
    """Comparisons with damaged rows among them."""

    rows: tuple[Mapping[str, Any], ...]  #: shuffled
    planted: dict[str, int]  #: how many rows a check should find, by kind of finding


def damaged(pairs: WorldPairs, each: int, rng: np.random.Generator) -> Damaged:
    """Add `each` rows of four kinds of damage: empty, identical, repeated, contradictory.

    Each kind starts from rows of its own prompts, so that the kinds do not mix. A contradiction
    makes two bad rows: the one that was there and the one that was added.
    """
    prompts = np.array([row["prompt"] for row in pairs.rows])
    order = rng.permutation(len(prompts))
    first = order[np.sort(np.unique(prompts[order], return_index=True)[1])]  # one row a prompt
    empty, same, again, against = (
        [dict(pairs.rows[i]) for i in first[k * each : (k + 1) * each]] for k in range(4)
    )
    for row in empty:
        row |= {"response_b": "", "label": 1.0}
    for row in same:
        row |= {"response_b": row["response_a"]}
    for row in against:
        row |= {"label": 1.0 - row["label"]}
    rows = [*pairs.rows, *empty, *same, *again, *against]  # a copy keeps its id
    planted = {
        "empty-response": len(empty),
        "identical-responses": len(same),
        "duplicate": len(again),
        "contradictory-duplicate": 2 * len(against),
    }
    return Damaged(
        tuple(rows[i] for i in rng.permutation(len(rows))),
        {kind: count for kind, count in planted.items() if count},
    )
