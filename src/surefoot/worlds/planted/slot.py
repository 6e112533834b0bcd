"""An annotator who takes the first response without reading."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted


def plant(pairs: int, rng: np.random.Generator, share: float) -> PlantedMaterial:
    """One of twenty annotators takes the first response in so many votes, whatever it says."""
    world = clean("several votes", pairs, rng)
    honest = expit(world.margins_true)
    taken = logit(np.minimum(share + (1 - share) * honest, 1 - 1e-9))
    return voted(
        world,
        3,
        rng,
        wanted=lambda pair, who: np.where(who == 7, taken[pair], world.margins_true[pair]),
    )


FAULT = PlantedFault(
    name="one who takes the first",
    diagnostic="slot preference",
    size="share of an annotator's votes that go to the first response unread",
    plant=plant,
    sizes=(0.2, 0.3, 0.4, 0.6, 0.8),
    surely=0.8,
)
