"""Soft minimum: Dr. DPO (Wu et al., 2407.07880)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.objectives.risk import Risk, RiskProperties, State, WorstCase, log_mean_exp

if TYPE_CHECKING:
    from torch import Tensor


class SoftMinimum(Risk, kind="soft-minimum"):
    """-t log sum_u p_u exp(-L_u / t), t > 0: units that fit badly lose weight.

    Against *noise*: a pair with a large loss is taken for mislabelled. The weights are
    proportional to p_u exp(-L_u / t). The opposite of a worst case over shifts, although both are
    called distributionally robust. Not convex.
    """

    temperature: float = Field(1.0, gt=0)
    """Loss difference at which a unit's weight falls by e (beta' in the paper, 1 by default)."""

    properties = RiskProperties(
        direction="against noise", convex=False, smooth=True, neutral={"temperature": 1e7}
    )

    def worst_case(self, losses: Tensor, mass: Tensor, state: State) -> WorstCase:
        """Value (...), weights (U, ...) and state."""
        mean = (mass * losses).sum(0)  # subtracted for accuracy at high temperatures
        log, weights = log_mean_exp((mean - losses) / self.temperature, mass)
        return mean - self.temperature * log, weights, state
