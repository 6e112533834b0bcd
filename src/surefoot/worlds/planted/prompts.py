"""Prompts of planted worlds: vectors around topics, whose shares may differ in deployment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.embedded_prompts import EmbeddedPrompts

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
        """Prompts for pairs with these keys (N,), small; each key has its own in any part too."""
        law, topic, place, deployed = np.random.default_rng([seed, 16]).spawn(4)
        centres = _APART * law.normal(size=(TOPICS + 1, DIMENSIONS))
        keys, rows, of_rows = np.unique(prompts, return_index=True, return_inverse=True)
        first = int(keys.max(initial=-1)) + 1
        topics = topic.integers(0, TOPICS, first)[keys]
        vectors = centres[topics] + place.normal(size=(first, DIMENSIONS))[keys]
        training = _prompts(keys, vectors, rows, of_rows)
        lacked = deployed.random(self.deployed) < self.missing
        theirs = np.where(lacked, TOPICS, deployed.integers(0, TOPICS, self.deployed))
        vectors = centres[theirs] + deployed.normal(size=(self.deployed, DIMENSIONS))
        new = np.arange(self.deployed)
        deployment = _prompts(first + new, vectors, new, new) if len(new) else None
        return PromptWorld(training, deployment, topics[of_rows])


def _prompts(keys: Ints, vectors: Floats, rows: Ints, of_rows: Ints) -> EmbeddedPrompts:
    texts = tuple(f"prompt {key}" for key in keys.tolist())
    return EmbeddedPrompts(texts, keys, vectors, rows, of_rows)
