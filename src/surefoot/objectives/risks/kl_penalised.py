"""KL-penalised worst case: KLDPO (Xu et al., 2502.01930), with normalised weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.objectives.risk import Risk, RiskProperties, State, WorstCase, log_mean_exp

if TYPE_CHECKING:
    from torch import Tensor


class KLPenalised(Risk, kind="kl-penalised"):
    """max over q of sum_u q_u L_u - t KL(q || p) = t log sum_u p_u exp(L_u / t), t > 0.

    Against *shift*: units that fit badly gain weight, q_u proportional to p_u exp(L_u / t). The
    published code leaves the weights unnormalised and cuts them at 10, which raises the learning
    rate and bends the ball; here they sum to 1.
    """

    temperature: float = Field(1.0, gt=0)
    """Loss difference at which a unit's weight grows by e (tau in the paper); smaller is harder."""

    properties = RiskProperties(
        direction="against shift", convex=True, smooth=True, neutral={"temperature": 1e7}
    )

    def worst_case(self, losses: Tensor, mass: Tensor, state: State) -> WorstCase:
        """Value (...), weights (U, ...) and state."""
        mean = (mass * losses).sum(0)  # subtracted for accuracy at high temperatures
        log, weights = log_mean_exp((losses - mean) / self.temperature, mass)
        return mean + self.temperature * log, weights, state
