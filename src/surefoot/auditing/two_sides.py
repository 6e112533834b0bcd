"""Prompts of training and of deployment side by side, and which of them are nearly the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.embedded_prompts import EmbeddedPrompts
from surefoot.statistics.near_duplicates import independent_size, linked
from surefoot.statistics.novelty import Excess, nearest_distances

#: Prompts of either side that are compared; of more, these are drawn. All pairs are looked at.
MOST = 10_000
#: Two prompts are nearly the same if they lie nearer to each other than this share of the distance
#: from a prompt to the nearest of the other side. Prompts drawn one by one rarely do: they lie
#: about as far from others of their side as from those of the other one.
_NEARLY = 0.75
#: Clumps of equal size to which the prompts of a side must amount.
FEWEST_CLUMPS = 20
#: A sample that brings a smaller share of the variance need not grow.
_LITTLE = 0.2


@dataclass(frozen=True)
class TwoSides:
    """The distinct prompts of n training and m deployment that are compared.

    Paraphrases, copies of a template and branches of a dialogue are not drawn one by one. They make
    clumps, and what is drawn from the same law on both sides is clumps: a training prompt is
    compared with those outside its clump, as none of its clump stands by for one of deployment.
    """

    training: EmbeddedPrompts  #: those that have a weight
    deployment: EmbeddedPrompts  #: all
    drawn_from: tuple[int, int]  #: how many prompts there were on either side

    @classmethod
    def of(
        cls, training: EmbeddedPrompts, deployment: EmbeddedPrompts, weights: Floats, seed: int
    ) -> TwoSides:
        """The prompts of both sides that are compared, by weights (N,) of the training rows."""
        rng = np.random.default_rng(seed)
        whole = training.weighed(weights), deployment
        ours, theirs = (side.some(rng.permutation(len(side)) < MOST) for side in whole)
        return cls(ours, theirs, (len(whole[0]), len(whole[1])))

    @cached_property
    def distances(self) -> Floats:
        """From each prompt of deployment to the nearest of training, (m,)."""
        return nearest_distances(self.deployment.vectors, self.training.vectors)

    @cached_property
    def clumps(self) -> tuple[Ints, Ints]:
        """The clump of each prompt, (n,) and (m,), equal for those that are nearly the same.

        That are branches of a dialogue, and those between which short steps lead, of either side.
        """
        ours, theirs = self.training, self.deployment
        back = nearest_distances(ours.vectors, theirs.vectors)
        across = (  # the nearer one: of the other one, half may be of kinds that a side lacks
            _typical(back, ours.dialogues, theirs.dialogues),
            _typical(self.distances, theirs.dialogues, ours.dialogues),
        )
        clumps = linked(
            np.concatenate([ours.vectors, theirs.vectors]),
            _NEARLY * min(across),
            np.concatenate([ours.dialogues, theirs.dialogues]),
        )
        return clumps[: len(ours)], clumps[len(ours) :]

    def lacking(self, fewest: int) -> str:
        """What is missing where either side has fewer prompts, or fewer that differ; else empty."""
        n, m = len(self.training), len(self.deployment)
        if min(n, m) < fewest:
            return (
                f"{fewest} different prompts of training and of deployment; there are {n} and {m}."
            )
        sizes = [independent_size(side) for side in self.clumps]
        if min(sizes) < FEWEST_CLUMPS:
            return (
                f"{FEWEST_CLUMPS} prompts of training and of deployment that are not nearly the "
                f"same; they amount to {sizes[0]:.0f} and {sizes[1]:.0f}."
            )
        return ""

    @property
    def seen(self) -> str:
        """How many were drawn, in words; empty where all are compared."""
        n, m = len(self.training), len(self.deployment)
        drawn = f" (of {m:,} and {n:,} that were drawn)"
        return drawn if self.drawn_from != (n, m) else ""

    def to_grow(self, found: Excess) -> tuple[int, str]:
        """Which prompts there would have to be more of to tell, and how many there are of them."""
        n, m = len(self.training), len(self.deployment)
        first = found.variances[0] / max(sum(found.variances), 1e-300)
        if first > 1 - _LITTLE:
            return n, "prompts of training"
        if first < _LITTLE:
            return m, "prompts of deployment"
        return m, f"prompts of deployment and {n / m:.2g} times as many of training"


def _typical(distances: Floats, own: Ints, other: Ints) -> float:
    """The median of distances of one side's prompts whose dialogues the other side has not."""
    new = ~np.isin(own, other)
    return float(np.median(distances[new])) if new.any() else 0.0
