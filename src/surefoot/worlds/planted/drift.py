"""Labels that become worse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, rate: float) -> PlantedMaterial:
    """From half of the time on, so many labels are turned round."""
    world = clean("unbalanced groups", pairs, rng)
    later = world.time > 0.5
    world = replace(world, margins_true=3 * world.margins_true)
    return voted(world, 1, rng, lambda pair, who: np.where(later[pair], rate, 0.0))


FAULT = PlantedFault(
    name="flips from halfway on",
    diagnostic="drift",
    size="share of later labels turned round",
    plant=plant,
    sizes=(0.02, 0.04, 0.06, 0.08, 0.1),
    surely=0.1,
    newest=0.5,
)
