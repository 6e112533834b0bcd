"""Conditional value at risk: Rockafellar and Uryasev (2000)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from surefoot.objectives.risk import Risk, RiskProperties, State


class CVaR(Risk, kind="cvar"):
    """max over q of sum_u q_u L_u, 0 <= q_u <= p_u / level: the mean of the worst share.

    Against *shift*: no subpopulation of at least this share fares worse than the value. The
    weights are p_u / level on the largest losses and the remainder on the unit at the boundary.
    """

    level: float = Field(0.2, gt=0, le=1)
    """Share of the mass that counts, in (0, 1]; 1 is the mean."""

    properties = RiskProperties(
        direction="against shift", convex=True, smooth=False, neutral={"level": 1.0}
    )

    def worst_case(
        self, losses: Tensor, mass: Tensor, state: State
    ) -> tuple[Tensor, Tensor, State]:
        """Value (...), weights (U, ...) and state."""
        order = losses.argsort(dim=0, descending=True, stable=True)
        cap = mass.gather(0, order) / self.level
        filled = cap.cumsum(0)
        # Each unit takes its cap until the weights sum to 1.
        taken = (1 - (filled - cap)).clamp_min(0).minimum(cap)
        weights = taken.new_zeros(taken.shape).scatter(0, order, taken)
        weights = weights / weights.sum(0)
        return (weights * losses).sum(0), weights, state
