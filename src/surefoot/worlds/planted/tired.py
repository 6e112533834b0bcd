"""An annotator who stops reading."""

from __future__ import annotations

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, rate: float) -> PlantedMaterial:
    """From half of the time on, one of twenty annotators votes the other way round so often."""
    world = clean("several votes", pairs, rng)
    later = world.time > 0.5
    return voted(world, 3, rng, lambda pair, who: np.where((who == 7) & later[pair], rate, 0.0))


FAULT = PlantedFault(
    name="one who tires",
    diagnostic="annotator drift",
    size="share of an annotator's later votes turned round: at random at .5",
    plant=plant,
    sizes=(0.1, 0.2, 0.3, 0.4, 0.5),
    surely=0.5,
)
