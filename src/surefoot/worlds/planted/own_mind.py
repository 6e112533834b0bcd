"""A rare group that wants something else, though not the opposite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, turned: float) -> PlantedMaterial:
    """What a group of 20 % wants lies so many right angles from what the others want."""
    world = clean("unbalanced groups", pairs, rng)
    rare = rng.random(pairs) < 0.2
    apart = world.vectors[:, 0] - world.vectors[:, 1]
    signs = np.where(np.arange(apart.shape[1]) % 2, -1.0, 1.0)
    common, other = apart.sum(1), apart @ signs  # at a right angle to each other
    angle = np.where(rare, turned * np.pi / 2, 0.0)
    groups = np.where(rare, "rare", "common").astype(object)
    world = replace(
        world,
        margins_true=np.cos(angle) * common + np.sin(angle) * other,
        groupings={"group": groups},
    )
    return voted(world, 1, rng)


FAULT = PlantedFault(
    name="a group with a mind of its own",
    diagnostic="worst part",
    size="right angles between what it wants and what the others want",
    plant=plant,
    sizes=(0.2, 0.4, 0.6, 0.8, 1.0),
    surely=0.8,
    worst_of="group",
)
