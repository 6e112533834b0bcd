"""Total-variation ball: the set of DR-RLHF (Mandal et al., 2503.00539)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from surefoot.objectives.balls import Ball, scaled, share_of
from surefoot.objectives.risk import RiskProperties, State, WorstCase, tie_bounds

if TYPE_CHECKING:
    from torch import Tensor


class TotalVariation(Ball, kind="tv"):
    """max over q of sum_u q_u L_u, 1/2 sum_u |q_u - p_u| <= radius.

    Against *shift*: a share `radius` of the data is replaced by the worst unit. The weights take
    the mass `radius` from the smallest losses and put it on the largest:
    R = radius max_u L_u + (1 - radius) CVaR of level 1 - radius. Equal losses share in proportion
    to their mass. From 1 - p_u of the worst unit on, all weight is there, and R is the maximum.
    """

    radius: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = 0.1
    """Share of the data that may be replaced, in [0, 1]; 0 is the mean, 1 the worst unit alone.
    `auto`: by leaving groups out, on frozen embeddings."""

    sizes = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6)

    estimate: Literal["step"] = "step"
    """The worst case over the step, biased low for all the data. There is no `dual`: no step gives
    an unbiased estimate of the largest of all losses."""

    @field_validator("estimate", mode="before")
    @classmethod
    def _no_dual(cls, estimate: object) -> object:
        if estimate == "dual":
            raise ValueError(
                "'dual' is refused for 'tv': its term radius * max L is no expectation, so that no "
                "step gives an unbiased gradient of it. Use 'chi-squared', 'kl' or 'cvar'."
            )
        return estimate

    properties = RiskProperties(
        direction="against shift", convex=True, smooth=False, neutral={"radius": 0.0}
    )

    def largest_radius(self, smallest: float) -> float:
        """1 - p of the smallest unit."""
        return 1 - smallest

    def worst_case(self, losses: Tensor, mass: Tensor, state: State) -> WorstCase:
        """Value (...), weights (U, ...) and state."""
        import torch

        x, largest = scaled(losses, mass)
        below, tied = tie_bounds(x, mass)
        lost = ((self.size - below) / tied.clamp_min(torch.finfo(mass.dtype).tiny)).clamp(0, 1)
        kept = mass * torch.where(largest, 1.0, 1 - lost)
        weights = kept + (1 - kept.sum(0)).clamp_min(0) * share_of(mass, largest)
        return (weights * losses).sum(0), weights, state
