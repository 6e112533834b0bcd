"""Models that beat each other in circles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surefoot.worlds.planted.fault import PlantedFault
from surefoot.worlds.planted.material import PlantedMaterial, clean, voted

MODELS = 6


def plant(pairs: int, rng: np.random.Generator, turn: float) -> PlantedMaterial:
    """Two of six models answer a prompt; log-odds are strengths, and so much for the next three."""
    strength = 0.5 * rng.normal(size=MODELS)
    first = rng.integers(0, MODELS, pairs)
    step = rng.integers(1, MODELS, pairs)
    second = (first + step) % MODELS
    names = np.array([f"model {i}" for i in range(MODELS)], dtype=object)
    # The next two are beaten, the last two beat, and the one across is a tie but for strength.
    round_it = turn * np.select([step < MODELS / 2, step > MODELS / 2], [1.0, -1.0])
    world = replace(
        clean("unbalanced groups", pairs, rng),
        margins_true=strength[first] - strength[second] + round_it,
        prompts=np.arange(pairs, dtype=np.int64),
        models=np.stack([names[first], names[second]], axis=1),
    )
    return voted(world, 1, rng)


FAULT = PlantedFault(
    name="models in circles",
    diagnostic="model cycles",
    size="log-odds that go round",
    plant=plant,
    sizes=(0.4, 0.6, 0.8, 1.0, 1.5),
    surely=1.5,
)
