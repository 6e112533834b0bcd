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
    alike: float = (
        1.0  #: prompts that are nearly the same, in the mean; their numbers are geometric
    )
    near: float = 0.25  #: deviations by which those differ, against 1 of prompts of a topic

    def draw(self, prompts: Ints, seed: int) -> PromptWorld:
        """Prompts for pairs with these keys (N,), small; each key has its own in any part too."""
        law, own, theirs = np.random.default_rng([seed, 16]).spawn(3)
        centres = _APART * law.normal(size=(TOPICS + 1, DIMENSIONS))
        keys, rows, of_rows = np.unique(prompts, return_index=True, return_inverse=True)
        first = int(keys.max(initial=-1)) + 1
        topics, vectors = self._drawn(own, first, centres, 0.0)
        training = _prompts(keys, vectors[keys], rows, of_rows)
        _, vectors = self._drawn(theirs, self.deployed, centres, self.missing)
        new = np.arange(self.deployed)
        deployment = _prompts(first + new, vectors, new, new) if len(new) else None
        return PromptWorld(training, deployment, topics[keys][of_rows])

    def _drawn(
        self, rng: np.random.Generator, count: int, centres: Floats, missing: float
    ) -> tuple[Ints, Floats]:
        """Topics (count,) and vectors of prompts; the first ones are the same of any count."""
        begins, lacks, topic, middle, around = rng.spawn(5)
        clump = np.cumsum(begins.random(count) < 1 / self.alike)
        lacked = lacks.random(count + 1) < missing
        topics = np.where(lacked, TOPICS, topic.integers(0, TOPICS, count + 1))[clump]
        vectors = centres[topics] + middle.normal(size=(count + 1, DIMENSIONS))[clump]
        if self.alike > 1:
            vectors = vectors + self.near * around.normal(size=(count, DIMENSIONS))
        return topics, vectors


def _prompts(keys: Ints, vectors: Floats, rows: Ints, of_rows: Ints) -> EmbeddedPrompts:
    texts = tuple(f"prompt {key}" for key in keys.tolist())
    return EmbeddedPrompts(texts, keys, vectors, rows, of_rows, keys)
