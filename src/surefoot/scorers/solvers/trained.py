"""Heads that are trained and not solved: K of them in one batched computation, by AdamW."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field
from tqdm.auto import trange

from surefoot.errors import SurefootError
from surefoot.scorers.head import Fit, Head, Parameters, Problem, margins_of, seeded

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: Numbers in the hidden layers of one batch of heads: 16 MiB, held a few times over. More heads at
#: once take memory and no less time: 40 took 1.4 times as long as 10 and 10.
ACTIVATIONS = 2**22


class TrainedHead(Head):
    """A head that is not linear in its parameters, trained by AdamW on all pairs at once.

    Full batches: a risk is computed over all the data, not over a step.
    """

    candidates: ClassVar[tuple[float, ...]] = (0.01, 0.03, 0.1, 0.3)

    steps: int = Field(150, ge=1)
    """Optimiser steps; each sees every pair."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak learning rate of AdamW; it rises over a tenth of the steps and falls as a cosine."""

    @abstractmethod
    def initial(self, dimension: int, context: int, generator: torch.Generator) -> Parameters:
        """Where one head starts, on features of this dimension and prompts' features of that."""

    @abstractmethod
    def batch_scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None
    ) -> Tensor:
        """Scores (n, 2, K) by K heads at once; their dimension comes first in each parameter."""

    @property
    def width(self) -> int:
        """Numbers that one head holds for each response: what its matrices give."""
        parameters = self.initial(1, 1, seeded(0)).values()
        return sum(one.shape[-1] for one in parameters if one.dim() > 1)

    def fit(self, problem: Problem, certify: bool = True) -> Fit:
        """Fit K heads on (N, 2, D) features; see :class:`Head`.

        Raises:
            SurefootError: the objective stopped being finite.
        """
        import torch

        parts = torch.arange(len(problem.l2)).split(self._together(problem.features))
        found = [self._train(problem.part(fits)) for fits in parts]
        return Fit(
            {name: torch.cat([f.parameters[name] for f in found]) for name in found[0].parameters},
            torch.cat([fit.values for fit in found]),
            torch.cat([fit.gaps for fit in found]),
            tuple(note for fit in found for note in fit.notes),
        )

    def scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Scores (n, 2, K) of features (n, 2, D)."""
        import torch

        together = self._together(features)
        parts = zip(*(p.to(features).split(together) for p in parameters.values()), strict=True)
        named = (dict(zip(parameters, part, strict=True)) for part in parts)
        return torch.cat([self.batch_scores(one, features, context) for one in named], dim=-1)

    def _together(self, features: Tensor) -> int:
        """How many heads go into one batch on these features (..., D)."""
        inputs = features.numel() // features.shape[-1]
        return max(1, ACTIVATIONS // max(1, inputs * self.width))

    def _train(self, problem: Problem) -> Fit:
        import torch

        features = problem.features.float()
        context = None if problem.context is None else problem.context.float()
        sizes = features.shape[-1], 0 if context is None else context.shape[-1]
        drawn = [self.initial(*sizes, seeded(seed)) for seed in problem.seeds]
        parameters = {
            name: torch.stack([one[name] for one in drawn]).requires_grad_() for name in drawn[0]
        }
        optimiser = torch.optim.AdamW(parameters.values(), lr=self.learning_rate, weight_decay=0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self._rate)
        ridge = problem.l2.float()
        values = ridge
        steps = trange(self.steps + 1, desc="fitting", unit="step", disable=None, leave=False)
        for step in steps:  # and a look at where the last one led
            margins = margins_of(self.batch_scores(parameters, features, context))
            squares = sum(p.square().flatten(1).sum(1) for p in parameters.values())
            values = problem.risk(margins).value + ridge / 2 * squares
            if not bool(values.isfinite().all()):
                raise SurefootError(
                    f"the objective is {values.tolist()} at step {step}: not finite. "
                    "Lower head.learning_rate, or raise head.l2."
                )
            if step == self.steps:
                break
            optimiser.zero_grad()
            values.sum().backward()
            optimiser.step()
            schedule.step()
        fixed = {name: p.detach() for name, p in parameters.items()}
        gaps = torch.full_like(values.detach(), math.inf)
        notes = (f"Trained for {self.steps} full-batch steps.",) * len(gaps)
        return Fit(fixed, values.detach(), gaps, notes)

    def _rate(self, step: int) -> float:
        warm = max(1, self.steps // 10)
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


def drawn(generator: torch.Generator, *shape: int, gain: float = 1.0) -> Tensor:
    """A normal matrix whose product with numbers of size 1 has size `gain`; its inputs come first.

    A vector is the weights of one output.
    """
    import torch

    return gain * torch.randn(*shape, generator=generator) / shape[0] ** 0.5


def of_pairs(margins: Tensor) -> Tensor:
    """Scores (n, 2, K) of a head that judges pairs: half the margin (n, K), and its opposite."""
    import torch

    half = margins / 2
    return torch.stack([half, -half], dim=1)
