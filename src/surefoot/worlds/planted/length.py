"""Labels that follow length."""

from __future__ import annotations

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean


def plant(pairs: int, rng: np.random.Generator, length: float) -> PlantedMaterial:
    """A standard deviation of length is worth so many log-odds."""
    return clean("unbalanced groups", pairs, rng, length=length)


FAULT = PlantedFault(
    name="labels follow length",
    diagnostic="shortcuts",
    size="log-odds for a standard deviation of length",
    plant=plant,
    sizes=(0.1, 0.15, 0.2, 0.25, 0.3),
    surely=0.3,
)
