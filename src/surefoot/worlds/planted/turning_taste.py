"""People who come to want something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, turns: float) -> PlantedMaterial:
    """What is wanted turns with time, by so many right angles from first to last."""
    world = clean("unbalanced groups", pairs, rng)
    apart = world.vectors[:, 0] - world.vectors[:, 1]
    signs = np.where(np.arange(apart.shape[1]) % 2, -1.0, 1.0)
    old, new = apart.sum(1), apart @ signs  # at a right angle to each other
    angle = turns * world.time * np.pi / 2
    return voted(replace(world, margins_true=np.cos(angle) * old + np.sin(angle) * new), 1, rng)


FAULT = PlantedFault(
    name="taste that turns",
    diagnostic="discount",
    size="right angles between the first taste and the last",
    plant=plant,
    sizes=(0.25, 0.5, 1.0, 1.5, 2.0),
    surely=1.5,
    newest=0.1,
)
