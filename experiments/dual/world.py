"""A convex world: logistic comparisons of linear features, and its robust optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from surefoot.objectives import Risk
from surefoot.scorers.solvers import bundle


@dataclass(frozen=True)
class World:
    """N comparisons whose first response is the preferred one.

    Attributes:
        x: (N, D) differences of features. A tenth of the pairs are of a kind that wants the first
            feature the other way round. No label is flipped: over noisy pairs the robust optimum
            is to prefer nothing, and every estimate finds that.
    """

    x: Tensor

    @classmethod
    def draw(cls, pairs: int, features: int, seed: int) -> Self:
        """By seed."""
        rng = np.random.default_rng([seed, 5])
        x = rng.normal(size=(pairs, features))
        truth = rng.normal(size=features)
        truth *= 4 / np.linalg.norm(truth)
        score = x @ truth
        rare = rng.random(pairs) < 0.1
        score[rare] -= 2 * x[rare, 0] * truth[0]
        first = rng.random(pairs) < 1 / (1 + np.exp(-score))
        return cls(torch.from_numpy(np.where(first, 1, -1)[:, None] * x))

    def value(self, risk: Risk, l2: float, weights: np.ndarray) -> float:
        """The risk of all the data and the ridge, at weights (D,)."""
        losses = torch.nn.functional.softplus(-self.x @ torch.from_numpy(weights))
        return float(risk(losses).value) + l2 / 2 * float(weights @ weights)


def minimum(world: World, risk: Risk, l2: float) -> bundle.Minimum:
    """The least value over all weights, by the bundle method of the linear heads."""

    def oracle(points: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        margins = world.x @ torch.from_numpy(points)
        margins.requires_grad_()
        values = risk(torch.nn.functional.softplus(-margins)).value
        (slopes,) = torch.autograd.grad(values.sum(), margins)
        return values.detach().numpy(), (world.x.T @ slopes).numpy()

    start = np.zeros(world.x.shape[1])
    return bundle.minimise(oracle, start, np.array([l2]), 1e-8, 600)[0]
