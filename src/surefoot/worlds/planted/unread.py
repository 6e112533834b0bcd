"""Labels that are given without reading, to the first response."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean


def plant(pairs: int, rng: np.random.Generator, unread: float) -> PlantedMaterial:
    """So many pairs are won by the first response, whatever it is."""
    world = clean("unbalanced groups", pairs, rng)
    labels = np.where(rng.random(pairs) < unread, 1.0, world.labels)
    return replace(world, labels=labels, placed=np.ones(pairs))


FAULT = PlantedFault(
    name="the first wins unread",
    diagnostic="sides",
    size="share of pairs that are not read",
    plant=plant,
    sizes=(0.1, 0.15, 0.2, 0.25, 0.3),
    surely=0.25,
)
