"""An annotator who votes unlike all others."""

from __future__ import annotations

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, rate: float) -> PlantedMaterial:
    """One of twenty annotators votes the other way round so often: at random at .5."""
    world = clean("several votes", pairs, rng)
    return voted(world, 3, rng, lambda pair, who: np.where(who == 7, rate, 0.0))


FAULT = PlantedFault(
    name="one rogue among 20",
    diagnostic="rogue annotator",
    size="share of the rogue's votes turned round",
    plant=plant,
    sizes=(0.1, 0.2, 0.3, 0.4, 0.5),
    surely=0.5,
)
