"""Worlds of comparisons in groups of unequal shares, whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from surefoot.arrays import Floats
from surefoot.objectives import Evidence, Objective, Units
from surefoot.options import Options
from surefoot.worlds.linear_fits import LinearProblems

#: What stands for the flip rate in an objective.
FLIPS = "flips"


class World(Options):
    """One kind of world; every repetition draws one of its own. G groups, D features.

    A true margin is clarity_g * x . w_g, where w_g has a part that all groups share and one of its
    own, and P(a preferred) is its logistic function (Bradley-Terry).
    """

    own: float = Field(0.0, ge=0, le=1)
    """Share of the squared weights that is a group's own; 0: one linear reward holds for all."""
    clarity: tuple[float, ...]
    """How clear the preferences of each group are; small: close calls."""
    flips: tuple[float, ...]
    """Flip rate of each group, relative to the rate of all."""


class Size(Options):
    """How much is drawn of each world."""

    repetitions: int = Field(ge=3)
    """Worlds, with one training set each."""
    pairs: int = Field(ge=40)
    """Training pairs."""
    test: int = Field(ge=10)
    """Test pairs of each group."""
    features: int = Field(ge=2)
    shares: tuple[float, ...]
    """Share of each group in training."""
    spread: float = Field(gt=0)
    """Standard deviation of x . w_g in each group."""
    quiet: float = Field(gt=0, le=1)
    """Scale of the half of the features that hardly vary in a group: another half in each."""
    l2: float = Field(gt=0)
    """Ridge penalty of every fit."""
    first_seed: int = 0

    @property
    def counts(self) -> list[int]:
        """Training pairs of each group."""
        return [round(share * self.pairs) for share in self.shares]

    @property
    def units(self) -> Units:
        """The group of each training pair."""
        return Units(_blocks(self.counts), len(self.shares))


@dataclass(frozen=True)
class Drawn:
    """R worlds of a kind: N training pairs and T test pairs of each.

    Attributes:
        x: (N, R, D) differences of features, group by group.
        label: (N, R) as observed: drawn from the truth, then flipped.
        units: the group of each training pair.
        test_x: (T, R, D).
        test_truth: (T, R) true P(a preferred).
        test_units: the group of each test pair.
    """

    x: Tensor
    label: Tensor
    units: Units
    test_x: Tensor
    test_truth: Tensor
    test_units: Units

    def margins(self, weights: Tensor) -> Tensor:
        """(T, R) of the test pairs, by weights (R, D)."""
        return torch.einsum("nrd,rd->nr", self.test_x, weights)

    def regret(self, margins: Tensor) -> Floats:
        """(R, G) of test margins (T, R), in each group.

        How much less often the response that is picked is the preferred one than the better one
        would be: the mean of |2 P - 1| where the pick is wrong. No margin is a coin's pick.
        """
        gain = 2 * self.test_truth - 1
        lost = gain.abs() * (1 - margins.sign() * gain.sign()) / 2
        counts = torch.bincount(self.test_units.ids).double()
        sums = lost.new_zeros(self.test_units.count, lost.shape[1])
        return (sums.index_add(0, self.test_units.ids, lost) / counts[:, None]).T.numpy()

    def excess_log_loss(self, margins: Tensor) -> Floats:
        """(R,) log-loss above the truth's where groups have equal shares, at its best scale.

        The scale, of either sign, is fitted to the true probabilities of the test pairs: what any
        calibration could reach.
        """
        m = margins / margins.std(0).clamp_min(1e-12)
        one = LinearProblems(Objective(), m[..., None], Evidence(self.test_truth), 1e-6)
        least = Objective().loss.irreducible(self.test_truth).mean(0)
        return (one.values(one.solve(tolerance=1e-6))[0] - least).numpy()


def draw(world: World, size: Size, flip_rate: float) -> Drawn:
    """Training and test pairs of R worlds: the same for every flip rate, but for the flips."""
    rng = np.random.default_rng([size.first_seed, 6])
    r, d, groups = size.repetitions, size.features, len(size.shares)
    shared, own = _unit(rng.normal(size=(1, r, d))), _unit(rng.normal(size=(groups, r, d)))
    w = np.sqrt(1 - world.own) * shared + np.sqrt(world.own) * own  # (G, R, D)
    scale = np.where(rng.random((groups, r, d)).argsort(-1) < d // 2, size.quiet, 1.0)
    scale *= size.spread / np.sqrt(np.square(scale * w).sum(-1, keepdims=True))
    clarity, flips = np.array(world.clarity), np.array(world.flips)

    def pairs(counts: Sequence[int]) -> tuple[Floats, Floats, Tensor]:
        """Differences (n, R, D), true probabilities (n, R) and groups (n,)."""
        ids = _blocks(counts)
        x = rng.normal(size=(len(ids), r, d)) * scale[ids]
        margins = clarity[ids, None] * np.einsum("nrd,nrd->nr", x, w[ids])
        return x, 1 / (1 + np.exp(-margins)), ids

    x, truth, ids = pairs(size.counts)
    drawn = rng.random(truth.shape) < truth
    flipped = rng.random(truth.shape) < flip_rate * flips[ids, None]
    test_x, test_truth, test_ids = pairs([size.test] * groups)
    return Drawn(
        torch.from_numpy(x),
        torch.from_numpy((drawn ^ flipped).astype(np.float64)),
        Units(ids, groups),
        torch.from_numpy(test_x),
        torch.from_numpy(test_truth),
        Units(test_ids, groups),
    )


def by_group(x: Tensor, units: Units) -> Tensor:
    """(N, R, D + G D) from features (N, R, D): those of all, then a copy for each group."""
    copies = [x * (units.ids == g)[:, None, None] for g in range(units.count)]
    return torch.cat([x, *copies], dim=-1)


def cross_fitted(drawn: Drawn, folds: int, l2: float) -> Tensor:
    """(N, R) P(a preferred) by a logistic regression that did not see the pair, nor its fold.

    It knows the groups: its weights have a part for each. It is fitted to labels as observed, so
    that it expects flips too.
    """
    x, fold = by_group(drawn.x, drawn.units), torch.arange(len(drawn.x)) % folds
    found = torch.empty_like(drawn.label)
    for k in range(folds):
        inside = (fold != k).double()[:, None].expand_as(drawn.label)
        problem = LinearProblems(Objective(), x, Evidence(drawn.label), l2, inside)
        weights = problem.solve(tolerance=1e-6)
        out = fold == k
        found[out] = torch.einsum("nrd,rd->nr", x[out], weights).sigmoid()
    return found


def with_rate(objective: Any, flip_rate: float) -> Any:
    """An objective's options with the flip rate in its place.

    >>> with_rate({"risk": {"kind": "mean", "trim": "flips"}}, 0.2)
    {'risk': {'kind': 'mean', 'trim': 0.2}}
    """
    if isinstance(objective, dict):
        return {key: with_rate(value, flip_rate) for key, value in objective.items()}
    return flip_rate if objective == FLIPS else objective


def _blocks(counts: Sequence[int]) -> Tensor:
    return torch.arange(len(counts)).repeat_interleave(torch.tensor(list(counts)))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
