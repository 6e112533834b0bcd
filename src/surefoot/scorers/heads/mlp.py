"""Multi-layer perceptron head: one hidden layer, K of them in one batched computation."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor
from tqdm.auto import trange

from surefoot.errors import SurefootError
from surefoot.scorers.head import Fit, Head, Parameters, Problem, margins_of, seeded

NAMES = ("weight", "bias", "out")
#: Numbers in the hidden layers of one batch of heads: 16 MiB, held a few times over. More heads at
#: once take memory and no less time: 40 took 1.4 times as long as 10 and 10.
ACTIVATIONS = 2**22


class MLP(Head, kind="mlp"):
    """reward = v . gelu(W features + b), trained by AdamW on all pairs at once.

    Full batches: a risk is computed over all the data, not over a step.
    """

    hidden: int = Field(64, ge=1)
    """Width of the hidden layer."""
    steps: int = Field(150, ge=1)
    """Optimiser steps; each sees every pair."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak learning rate of AdamW; it rises over a tenth of the steps and falls as a cosine."""

    def fit(self, problem: Problem, certify: bool = True) -> Fit:
        """Fit K heads on (N, 2, D) features; see :class:`Head`.

        Raises:
            SurefootError: the objective stopped being finite.
        """
        parts = torch.arange(len(problem.l2)).split(self._together(problem.features))
        return Fit.join([self._train(problem.part(fits)) for fits in parts])

    def scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Rewards (n, 2, K) of features (n, 2, D)."""
        together = self._together(features)
        parts = zip(*(parameters[name].split(together) for name in NAMES), strict=True)
        return torch.cat([_rewards(features, *part) for part in parts], dim=-1)

    def candidates(self) -> tuple[float, ...]:
        """Four penalties from 0.01 to 0.3."""
        return (0.01, 0.03, 0.1, 0.3)

    @property
    def linear(self) -> bool:
        """It is not."""
        return False

    def _together(self, features: Tensor) -> int:
        """How many heads go into one batch on these features (..., D)."""
        inputs = features.numel() // features.shape[-1]
        return max(1, ACTIVATIONS // max(1, inputs * self.hidden))

    def _train(self, problem: Problem) -> Fit:
        features = problem.features.float()
        parameters = self._initial(features.shape[-1], problem.seeds)
        optimiser = torch.optim.AdamW(parameters.values(), lr=self.learning_rate, weight_decay=0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._rate)
        ridge = problem.l2.float()
        values = ridge
        for step in trange(self.steps, desc="fitting", unit="step", disable=None, leave=False):
            margins = margins_of(self.scores(parameters, features))
            squares = sum(p.square().flatten(1).sum(1) for p in parameters.values())
            values = problem.risk(margins).value + ridge / 2 * squares
            if not bool(values.isfinite().all()):
                raise SurefootError(
                    f"the objective is {values.tolist()} at step {step}: not finite. "
                    "Lower head.learning_rate, or raise head.l2."
                )
            optimiser.zero_grad()
            values.sum().backward()
            optimiser.step()
            schedule.step()
        fixed = {name: p.detach() for name, p in parameters.items()}
        gaps = torch.full_like(values.detach(), math.inf)
        notes = (f"Trained for {self.steps} full-batch steps.",) * len(gaps)
        return Fit(fixed, 0, values.detach(), gaps, notes)

    def _initial(self, dimension: int, seeds: tuple[int, ...]) -> Parameters:
        def draw(seed: int) -> tuple[Tensor, Tensor]:
            generator = seeded(seed)
            weight = torch.randn(dimension, self.hidden, generator=generator) / dimension**0.5
            return weight, torch.randn(self.hidden, generator=generator) / self.hidden**0.5

        drawn = [draw(seed) for seed in seeds]
        parameters = {
            "weight": torch.stack([weight for weight, _ in drawn]),  # (K, D, H)
            "bias": torch.zeros(len(seeds), self.hidden),  # (K, H)
            "out": torch.stack([out for _, out in drawn]),  # (K, H)
        }
        return {name: value.requires_grad_() for name, value in parameters.items()}

    def _rate(self, step: int) -> float:
        warm = max(1, self.steps // 10)
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


def _rewards(features: Tensor, weight: Tensor, bias: Tensor, out: Tensor) -> Tensor:
    """Rewards (..., K) of features (..., D) by weights (K, D, H), biases and outputs (K, H)."""
    inner = torch.einsum("...d,kdh->...kh", features, weight)
    return (torch.nn.functional.gelu(inner + bias) * out).sum(-1)
