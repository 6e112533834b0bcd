"""Votes that say the opposite of what people prefer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, rate: float) -> PlantedMaterial:
    """Three votes on a pair, each turned round with one chance."""
    world = clean("several votes", pairs, rng)
    sure = replace(world, margins_true=50 * np.sign(world.margins_true))
    return voted(sure, 3, rng, lambda pair, who: np.full(len(pair), rate))


FAULT = PlantedFault(
    name="flips among three votes",
    diagnostic="flipped votes",
    size="share of votes turned round",
    plant=plant,
    sizes=(0.05, 0.06, 0.07, 0.08, 0.1),
    surely=0.1,
)
