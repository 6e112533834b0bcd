"""The mean: empirical risk minimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.objectives.risk import Risk, RiskProperties, State, WorstCase

if TYPE_CHECKING:
    from torch import Tensor


class Mean(Risk, kind="mean"):
    """sum_u p_u L_u: every unit keeps its own weight."""

    properties = RiskProperties(direction="none", convex=True, smooth=True, neutral={})

    def worst_case(self, losses: Tensor, mass: Tensor, state: State) -> WorstCase:
        """Value (...), weights (U, ...) and state."""
        return (mass * losses).sum(0), mass, state
