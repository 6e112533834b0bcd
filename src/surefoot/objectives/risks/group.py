"""Group DRO: Sagawa et al. (2020); for preferences GR-DPO (Ramesh et al., 2405.20304)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surefoot.objectives.risk import Risk, RiskProperties, State, WorstCase, log_mean_exp

if TYPE_CHECKING:
    from torch import Tensor

#: Of a weight, in any precision: one of 0 could not come back, and a step of it alone has none.
_SMALLEST = 2.0**-126  # above 0, of float32, with all its digits


class Group(Risk, kind="group"):
    """sum_u q_u L_u, q_u proportional to q'_u exp(s (L_u + C / sqrt(n_u))): a slow adversary.

    Against *shift*: the weights q move from q', those of the last step, towards the units that fit
    badly, by exponentiated gradients of step size s. A unit that is absent from a step keeps its
    weight and has no say in it. On average over many steps it is the largest of the losses
    L_u + C / sqrt(n_u) that is made small. Each step is `kl-penalised` around q' with temperature
    1 / s, and the value that is reported is that one's, of which q is the gradient.
    """

    unit: Literal["source", "group", "cluster"] = "group"
    """What has a weight of its own, from the first step to the last."""
    unit_mass: Literal["pairs", "equal"] = "equal"
    """Weights in the first step: the same for each unit, or its share of the pairs."""
    step_size: float = Field(0.01, ge=0)
    """How far the log of a weight moves per step and nat of loss; 0 keeps the first weights."""
    size_adjustment: float = Field(0.0, ge=0)
    """C: a unit of n pairs counts as C / sqrt(n) worse than it is, for small units overfit."""

    properties = RiskProperties(
        direction="against shift",
        convex=True,
        smooth=True,
        stateful=True,
        neutral={"step_size": 0.0},
    )

    def begin(self, share: Tensor, pairs: Tensor) -> State:
        """The first weights, and how many pairs each unit has in all the data, both (U, ...).

        A unit without mass begins with next to nothing: it may have some in a later step.
        """
        return {"weights": share.clamp_min(_SMALLEST), "pairs": pairs.to(share)}

    def worst_case(self, losses: Tensor, mass: Tensor, state: State) -> WorstCase:
        """Value (...), weights (U, ...) and state."""
        present = mass > 0
        last, pairs = (state[name].to(mass).expand_as(mass) for name in ("weights", "pairs"))
        held = (last * present).sum(0)
        before = (last * present) / held
        adjusted = losses + self.size_adjustment / pairs.clamp_min(1).sqrt()
        mean = (before * adjusted).sum(0)  # subtracted for accuracy at small step sizes
        log, weights = log_mean_exp(self.step_size * (adjusted - mean), before)
        value = mean + (log / self.step_size if self.step_size > 0 else 0.0)
        moved = (held * weights).clamp_min(_SMALLEST)
        return value, weights, {"weights": moved.where(present, last), "pairs": pairs}
