"""Prompts of planted worlds: vectors around topics, whose shares may differ in deployment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.audit.embedded_prompts import EmbeddedPrompts

TOPICS, DIMENSIONS = 12, 16
#: Of the centres of topics, in deviations of a coordinate: they lie about 8 deviations apart.
_APART = 1.4


@dataclass(frozen=True)
class PromptWorld:
    """Prompts of training and deployment."""

    training: EmbeddedPrompts  #: the distinct prompts of the pairs
    #: as many as the law says, none of which is a training prompt
    deployment: EmbeddedPrompts | None
    topics: Ints  #: (N,) the topic of each pair


@dataclass(frozen=True)
class PromptLaw:
    """How prompts are drawn."""

    #: share of the prompts of deployment that are of a topic which training lacks
    missing: float = 0.05
    deployed: int = 500  #: how many prompts of deployment there are; 0: none are given

    def draw(self, prompts: Ints, seed: int) -> PromptWorld:
        """Prompts for pairs with these keys (N,)."""
        rng = np.random.default_rng([seed, 16])
        centres = _APART * rng.normal(size=(TOPICS + 1, DIMENSIONS))
        keys, rows, of_rows = np.unique(prompts, return_index=True, return_inverse=True)
        topics = rng.integers(0, TOPICS, len(keys))
        training = _around(centres[topics], keys, rows, of_rows, rng)
        lacked = rng.random(self.deployed) < self.missing
        theirs = np.where(lacked, TOPICS, rng.integers(0, TOPICS, self.deployed))
        new = np.arange(self.deployed)
        first = int(keys.max(initial=0)) + 1
        deployment = _around(centres[theirs], first + new, new, new, rng) if len(new) else None
        return PromptWorld(training, deployment, topics[of_rows])


def _around(
    centres: Floats, keys: Ints, rows: Ints, of_rows: Ints, rng: np.random.Generator
) -> EmbeddedPrompts:
    vectors = centres + rng.normal(size=centres.shape)
    texts = tuple(f"prompt {key}" for key in keys.tolist())
    return EmbeddedPrompts(texts, keys, vectors, rows, of_rows)
