"""What is preferred depends on the topic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted
from surefoot.worlds.planted.prompts import TOPICS


def plant(pairs: int, rng: np.random.Generator, own: float) -> PlantedMaterial:
    """Responses differ in something that only their topic has, worth so many log-odds."""
    world = clean("unbalanced groups", pairs, rng)
    theirs = np.zeros((pairs, 2, TOPICS))
    values = rng.normal(size=(pairs, 2))
    theirs[np.arange(pairs), :, world.drawn.topics] = values
    margins = world.margins_true + own * (values[:, 0] - values[:, 1])
    vectors = np.concatenate([world.vectors, theirs], axis=2)
    return voted(replace(world, vectors=vectors, margins_true=margins), 1, rng)


FAULT = PlantedFault(
    name="topics with wishes of their own",
    diagnostic="unseen topics",
    size="log-odds for a standard deviation of what only the topic has",
    plant=plant,
    sizes=(0.5, 1.0, 1.5, 2.0, 3.0),
    surely=2.0,
)
