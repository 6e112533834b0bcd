"""Every pair that a pool of prompts offers, sorted by what a draw asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.errors import ConfigurationError
from surefoot.worlds.pool import RARE, PoolPrompt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """M pairs of responses to one prompt each, whose rewards differ.

    Attributes:
        prompt: position of the prompt, shape (M,).
        sides: positions of the two responses, shape (M, 2).
        rewards: true rewards of both, shape (M, 2).
        filler: sentences of filler in both, shape (M, 2).
        rare: whether the prompt is of the rare group, shape (M,).
    """

    prompt: Integers
    sides: Integers
    rewards: npt.NDArray[np.float64]
    filler: Integers
    rare: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, prompts: Sequence[PoolPrompt], reward: Callable[[PoolPrompt, int], float]
    ) -> Candidates:
        """All pairs of some prompts, under a reward of (prompt, position of the response)."""
        found = [
            (i, (a, b), gains, (prompt.responses[a].filler, prompt.responses[b].filler))
            for i, prompt in enumerate(prompts)
            for a, b in combinations(range(len(prompt.responses)), 2)
            if (gains := (reward(prompt, a), reward(prompt, b)))[0] != gains[1]
        ]
        prompt, sides, rewards, filler = zip(*found, strict=True)
        return cls(
            np.array(prompt),
            np.array(sides),
            np.array(rewards),
            np.array(filler),
            np.array([prompts[i].group == RARE for i in prompt]),
        )

    def draw(
        self, rng: np.random.Generator, count: int, rare: int, longer_is_better: float
    ) -> Candidates:
        """Some pairs, without replacement, in random order and each turned at random.

        Args:
            rng: what is random.
            count: number of pairs.
            rare: how many of them are of the rare group.
            longer_is_better: share of the others whose response with more filler is better.

        Raises:
            ConfigurationError: the pool has too few pairs of a kind.
        """
        gain = np.sign(np.diff(self.rewards)[:, 0] * np.diff(self.filler)[:, 0])
        longer = round((count - rare) * longer_is_better)
        kinds = [
            (self.rare, rare, "of the rare group"),
            (~self.rare & (gain > 0), longer, "whose longer response is better"),
            (~self.rare & (gain < 0), count - rare - longer, "whose longer response is worse"),
        ]
        chosen = []
        for members, size, name in kinds:
            places = np.flatnonzero(members)
            if size > len(places):
                raise ConfigurationError(
                    f"{size} pairs {name} are asked for and the pool has {len(places)}: ask for "
                    "fewer pairs, more prompts or more responses."
                )
            chosen.append(rng.permutation(places)[:size])
        rows = rng.permutation(np.concatenate(chosen))
        turns = np.array([[0, 1], [1, 0]])[rng.integers(2, size=count)]

        def turned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.take_along_axis(values[rows], turns, axis=1)

        return Candidates(
            self.prompt[rows],
            turned(self.sides),
            turned(self.rewards),
            turned(self.filler),
            self.rare[rows],
        )
