"""Every pair that a pool of prompts offers, sorted by what a draw asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.errors import ConfigurationError
from surefoot.worlds.pool import RARE, PoolPrompt

#: Two responses to one prompt: positions of it and of both, their true rewards, their sentences of
#: filler, and whether the prompt is of the rare group.
PAIR = np.dtype(
    [
        ("prompt", np.int64),
        ("sides", np.int64, 2),
        ("rewards", np.float64, 2),
        ("filler", np.int64, 2),
        ("rare", np.bool_),
    ]
)
#: M pairs, shape (M,) of :data:`PAIR`.
Pairs = npt.NDArray[Any]


def every_pair(prompts: Sequence[PoolPrompt], reward: Callable[[PoolPrompt, int], float]) -> Pairs:
    """All pairs of different rewards, under a reward of (prompt, position of the response)."""
    found = [
        (
            i,
            sides,
            gains,
            tuple(prompt.responses[side].filler for side in sides),
            prompt.group == RARE,
        )
        for i, prompt in enumerate(prompts)
        for sides in combinations(range(len(prompt.responses)), 2)
        if len(set(gains := tuple(reward(prompt, side) for side in sides))) == 2
    ]
    return np.array(found, dtype=PAIR)


def draw(
    rng: np.random.Generator, pairs: Pairs, count: int, rare: int, longer_is_better: float
) -> Pairs:
    """Some pairs, without replacement, in random order and each turned at random.

    Args:
        rng: what is random.
        pairs: to draw from.
        count: number of pairs.
        rare: how many of them are of the rare group.
        longer_is_better: share of the others whose response with more filler is better.

    Raises:
        ConfigurationError: the pool has too few pairs of a kind.
    """
    gain = np.sign(np.diff(pairs["rewards"])[:, 0] * np.diff(pairs["filler"])[:, 0])
    longer = round((count - rare) * longer_is_better)
    kinds = [
        (pairs["rare"], rare, "of the rare group"),
        (~pairs["rare"] & (gain > 0), longer, "whose longer response is better"),
        (~pairs["rare"] & (gain < 0), count - rare - longer, "whose longer response is worse"),
    ]
    chosen = []
    for members, size, name in kinds:
        places = np.flatnonzero(members)
        if size > len(places):
            raise ConfigurationError(
                f"{size} pairs {name} are asked for and the pool has {len(places)}: ask for fewer "
                "pairs, more prompts or more responses."
            )
        chosen.append(rng.permutation(places)[:size])
    drawn = pairs[rng.permutation(np.concatenate(chosen))]
    turned = rng.integers(2, size=count) == 1
    for name in ("sides", "rewards", "filler"):
        drawn[name][turned] = drawn[name][turned][:, ::-1]
    return drawn
