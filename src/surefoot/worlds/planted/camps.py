"""Annotators of two camps, who want different things."""

from __future__ import annotations

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import DIMENSIONS, PlantedMaterial, clean, voted

#: Of each annotator, three on a pair.
VOTES = 60


def plant(pairs: int, rng: np.random.Generator, apart: float) -> PlantedMaterial:
    """Three in ten annotators' taste has correlation 1 - apart with that of the others."""
    world = clean("unbalanced groups", pairs, rng)
    annotators = max(3 * pairs // VOTES, 3)
    differ = world.vectors[:, 0] - world.vectors[:, 1]
    taste = np.full(DIMENSIONS, 1.2 / np.sqrt(2 * DIMENSIONS))
    across = np.where(np.arange(DIMENSIONS) % 2, 1, -1) * taste
    theirs = (1 - apart) * taste + np.sqrt(apart * (2 - apart)) * across
    moved = world.margins_true + differ @ (theirs - taste)
    smaller = np.arange(annotators) < 0.3 * annotators

    def wanted(pair: Ints, who: Ints) -> Floats:
        return np.where(smaller[who], moved[pair], world.margins_true[pair])

    return voted(world, 3, rng, wanted=wanted, annotators=annotators)


FAULT = PlantedFault(
    name="two camps of annotators, 70 to 30",
    diagnostic="two camps",
    size="1 less the correlation of the camps' tastes",
    plant=plant,
    sizes=(0.4, 0.6, 0.8, 1.0, 2.0),
    surely=1.0,
)
