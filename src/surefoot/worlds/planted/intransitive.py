"""Preferences that go round in circles."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy import optimize

from surefoot.arrays import Floats
from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import DIMENSIONS, PlantedMaterial, clean, voted

#: Responses to a prompt, of which all pairs are compared: 10 pairs and 10 triads.
RESPONSES = 5


def tournaments(pairs: int, rng: np.random.Generator, share: float, each: int) -> PlantedMaterial:
    """Ten pairs of a prompt's five responses, with so many votes on each.

    Log-odds are a difference of rewards and so much of sum_l (a_2l b_2l+1 - a_2l+1 b_2l) that this
    share of triads goes round in a circle (at most about .23).
    """
    first, second = np.triu_indices(RESPONSES, 1)
    prompts = -(-pairs // len(first))
    items = rng.normal(size=(prompts, RESPONSES, DIMENSIONS))
    rewards = items.sum(-1) * 1.2 / np.sqrt(2 * DIMENSIONS)
    gained = rewards[:, :, None] - rewards[:, None, :]
    turned = np.stack([-items[..., 1::2], items[..., ::2]], axis=-1).reshape(items.shape)
    skew = -items @ turned.swapaxes(1, 2) / np.sqrt(DIMENSIONS)
    much = optimize.bisect(lambda c: _circular(gained + c * skew) - share, 0, 100) if share else 0
    prompt = np.repeat(np.arange(prompts), len(first))[:pairs]
    side = np.stack([np.tile(one, prompts)[:pairs] for one in (first, second)], axis=1)
    side = np.where(rng.random((pairs, 1)) < 0.5, side, side[:, ::-1])
    world = replace(
        clean("unbalanced groups", pairs, rng),
        margins_true=(gained + much * skew)[prompt, side[:, 0], side[:, 1]],
        vectors=items[prompt[:, None], side],
        prompts=prompt.astype(np.int64),
        shared=(prompt[:, None] * RESPONSES + side).astype(np.int64),
    )
    return voted(world, each, rng)


def _circular(margins: Floats) -> float:
    """Share of the triads of each prompt that go round, from log-odds (P, R, R)."""
    wins = margins > 0
    triads = [
        (wins[:, i, j] == wins[:, j, k]) & (wins[:, j, k] == wins[:, k, i])
        for i, j, k in combinations(range(margins.shape[1]), 3)
    ]
    return float(np.mean(triads))


def plant(pairs: int, rng: np.random.Generator, share: float) -> PlantedMaterial:
    """Single labels of a general preference."""
    return tournaments(pairs, rng, share, 1)


FAULT = PlantedFault(
    name="a general preference",
    diagnostic="general preference",
    size="share of triads that go round in a circle",
    plant=plant,
    sizes=(0.02, 0.04, 0.06, 0.1, 0.2),
    surely=0.2,
)
