"""Votes that go round in circles, with nothing that a model could foresee them from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted import intransitive
from surefoot.worlds.planted.material import PlantedMaterial


def plant(pairs: int, rng: np.random.Generator, share: float) -> PlantedMaterial:
    """Three votes on each pair of a general preference; the encoder sees nothing of the texts."""
    world = intransitive.tournaments(pairs, rng, share, 3)
    return replace(world, vectors=rng.normal(size=world.vectors.shape))


FAULT = replace(
    intransitive.FAULT,
    name="votes in circles",
    diagnostic="cycles",
    plant=plant,
    sizes=(0.04, 0.06, 0.1, 0.15, 0.2),
)
