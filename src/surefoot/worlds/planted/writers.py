"""Preferred responses by another writer than the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean


def plant(pairs: int, rng: np.random.Generator, apart: float) -> PlantedMaterial:
    """A common word is so many deviations more frequent in preferred responses than in others."""
    return replace(clean("unbalanced groups", pairs, rng), written=apart)


FAULT = PlantedFault(
    name="preferred ones by another writer",
    diagnostic="authorship",
    size="deviations by which a common word tells the two apart",
    plant=plant,
    sizes=(0.5, 0.6, 0.7, 0.85, 1.0),
    surely=0.85,
)
