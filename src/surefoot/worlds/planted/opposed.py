"""Two sources that want opposite things."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, opposed: float) -> PlantedMaterial:
    """Two sources of equal size of which one's log-odds are so many times the other's, negated."""
    world = clean("unbalanced groups", pairs, rng, length=0.6)
    sources = rng.choice(np.array(["one", "other"], dtype=object), pairs)
    margins = np.where(sources == "one", 1.0, -opposed) * world.margins_true
    return voted(replace(world, margins_true=margins, groupings={"source": sources}), 1, rng)


FAULT = PlantedFault(
    name="two sources in conflict",
    diagnostic="conflict",
    size="log-odds of one source, negated, by those of the other",
    plant=plant,
    sizes=(0.1, 0.25, 0.5, 0.75, 1.0),
    surely=1.0,
)
