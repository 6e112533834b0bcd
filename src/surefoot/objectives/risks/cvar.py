"""Conditional value at risk: Rockafellar and Uryasev (2000)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from surefoot.objectives.duals import DualStep, EstimatedRisk
from surefoot.objectives.risk import RiskProperties, tie_bounds
from surefoot.objectives.sized import SizedRisk

if TYPE_CHECKING:
    from torch import Tensor


class CVaR(EstimatedRisk, SizedRisk, kind="cvar"):
    """max over q of sum_u q_u L_u, 0 <= q_u <= p_u / level: the mean of the worst share.

    Against *shift*: no subpopulation of at least this share fares worse than the value. The
    weights are p_u / level on the largest losses and the remainder on the unit at the boundary;
    equal losses share in proportion to their mass.
    """

    level: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = 0.2
    """Share of the mass that counts, in (0, 1]; 1 is the mean. `auto`: by leaving groups out, on
    frozen embeddings."""

    size_option = "level"
    sizes = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1)

    properties = RiskProperties(
        direction="against shift", convex=True, smooth=False, neutral={"level": 1.0}
    )

    def exact(self, losses: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        """Value (...) and weights (U, ...)."""
        import torch

        below, tied = tie_bounds(losses, mass)
        whole = mass.sum(0)
        left = self.size * whole - (whole - below - tied)  # by the larger losses
        share = (left / tied.clamp_min(torch.finfo(mass.dtype).tiny)).clamp(0, 1)
        weights = mass * share
        weights = weights / weights.sum(0)
        return (weights * losses).sum(0), weights

    def first_eta(self, losses: Tensor, mass: Tensor) -> Tensor:
        """The smallest loss that has any weight."""
        import torch

        _, weights = self.exact(losses, mass)
        return losses.masked_fill(weights <= 0, torch.inf).amin(0)

    def dual(self, losses: Tensor, mass: Tensor, eta: Tensor, scale: Tensor) -> DualStep:
        """Eta + E (L - eta)+ / level. Lambda, the unit of eta's steps, tends to E |L - eta|."""
        above = (losses - eta).clamp_min(0)
        weights = mass * (above > 0) / self.size
        value = eta + (mass * above).sum(0) / self.size
        distance = (mass * (losses - eta).abs()).sum(0)
        return DualStep(value, weights, 1 - weights.sum(0), 1 - distance / scale)
