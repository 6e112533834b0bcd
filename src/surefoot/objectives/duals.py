"""Running dual variables: unbiased gradients of a robust risk from steps of any size.

A worst case over a step is smaller on average than the worst case over all the data, and the more
so the smaller the step. Its dual is an infimum of expectations: a step gives unbiased gradients of
those, in the parameters and in the dual variables at once, and both move together.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surefoot.objectives.risk import Risk, State, WorstCase

if TYPE_CHECKING:
    from torch import Tensor

#: The smallest lambda, in units of the loss: below it a step's gradients scatter without limit.
#: The value at this floor is at most radius times as much above that of the best lambda.
SMALLEST_SCALE = 1e-3
#: Slopes in eta and lambda have no unit and are around 1. A larger one counts as this: where losses
#: spread quickly, as they do at the start of training, lambda is far too small for a while.
STEEPEST = 10.0


@dataclass(frozen=True)
class DualStep:
    """A dual objective on the losses of a step, all (...) but the weights."""

    value: Tensor  #: an unbiased estimate of the dual objective of all the data
    weights: Tensor  #: (U, ...) its gradient in the losses; they sum to 1 where eta is right
    by_eta: Tensor  #: its derivative in eta
    by_scale: Tensor  #: the same in lambda; for CVaR, which has none, see there


class EstimatedRisk(Risk):
    """A worst case whose value over all the data is estimated from steps."""

    estimate: Literal["step", "dual"] = "step"
    """`step`: the worst case over the step, biased low for all the data, and exact where a step is
    all the data; `dual`: running dual variables, unbiased, for language models over pairs and
    prompts."""
    dual_rate: float = Field(0.5, gt=0)
    """Learning rate of the dual variables, in units of lambda, over the root of the step."""

    @property
    def stateful(self) -> bool:
        """Running dual variables are carried from step to step."""
        return self.estimate == "dual"

    def of_all(self) -> Risk:
        """The risk without running duals: all data at once leave nothing to estimate."""
        return self.model_copy(update={"estimate": "step"})

    @abstractmethod
    def exact(self, losses: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        """Value (...) and weights (U, ...) of the worst case over these units.

        Args:
            losses: (U, ...) mean loss of each unit.
            mass: (U, ...) weight of each unit, summing to 1; 0 where absent.
        """

    @abstractmethod
    def first_eta(self, losses: Tensor, mass: Tensor) -> Tensor:
        """Eta (...) at which the weights of a first step sum to about 1, at lambda = 1."""

    @abstractmethod
    def dual(self, losses: Tensor, mass: Tensor, eta: Tensor, scale: Tensor) -> DualStep:
        """The dual objective at eta (...) and lambda = scale (...), never below the risk."""

    def worst_case(self, losses: Tensor, mass: Tensor, state: State) -> WorstCase:
        """Value (...), weights (U, ...) and state.

        Duals: gradient descent on eta in units of lambda, exponentiated gradients on lambda.
        """
        import torch

        if self.estimate == "step":
            return *self.exact(losses, mass), state
        if not state:
            eta = self.first_eta(losses, mass)
            state = {"eta": eta, "scale": torch.ones_like(eta), "steps": torch.zeros_like(eta)}
        eta, scale, steps = (state[name].to(losses) for name in ("eta", "scale", "steps"))
        found = self.dual(losses, mass, eta, scale)
        rate = self.dual_rate / (steps + 1).sqrt()
        eta = eta - rate * scale * found.by_eta.clamp(-STEEPEST, STEEPEST)
        scale = scale * (-rate * found.by_scale.clamp(-STEEPEST, STEEPEST)).exp()
        following = {"eta": eta, "scale": scale.clamp_min(SMALLEST_SCALE), "steps": steps + 1}
        return found.value, found.weights, following
