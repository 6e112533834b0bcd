"""A group whose labels say little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, coins: float) -> PlantedMaterial:
    """A group of 20 %, of whose labels so many are drawn by a coin."""
    world = clean("unbalanced groups", pairs, rng)
    rare = rng.random(pairs) < 0.2
    groups = np.where(rare, "rare", "common").astype(object)
    world = replace(world, margins_true=2 * world.margins_true, groupings={"group": groups})
    return voted(world, 1, rng, lambda pair, who: np.where(rare[pair], coins / 2, 0.0))


FAULT = PlantedFault(
    name="a group of coins",
    diagnostic="worst part",
    size="share of the group's labels that are drawn",
    plant=plant,
    sizes=(0.2, 0.4, 0.6, 0.8, 1.0),
    surely=1.0,
    worst_of="group",
)
