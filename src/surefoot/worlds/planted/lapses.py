"""Labels that are drawn by a coin now and then, however sure one could be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, rate: float) -> PlantedMaterial:
    """P(a preferred) runs from this rate to 1 less it, where rewards differ much."""
    world = clean("skewed lengths", pairs, rng)
    sure = replace(world, margins_true=6 * world.margins_true)
    return voted(sure, 1, rng, lambda pair, who: np.full(len(pair), rate))


FAULT = PlantedFault(
    name="lapses at both ends",
    diagnostic="link",
    size="share of labels turned round, however sure",
    plant=plant,
    sizes=(0.01, 0.02, 0.03, 0.05, 0.1),
    surely=0.1,
)
