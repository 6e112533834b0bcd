"""Deployment asks for a topic that training lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean
from surefoot.worlds.planted.prompts import PromptLaw


def plant(pairs: int, rng: np.random.Generator, share: float) -> PlantedMaterial:
    """So many of the prompts of deployment are of a topic of their own."""
    return replace(clean("unbalanced groups", pairs, rng), law=PromptLaw(missing=share))


FAULT = PlantedFault(
    name="a topic missing from training",
    diagnostic="novelty",
    size="share of the prompts of deployment",
    plant=plant,
    sizes=(0.05, 0.1, 0.15, 0.2, 0.3),
    surely=0.2,
)
