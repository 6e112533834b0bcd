"""Rewards with mean zero on every pair: Eisenstein et al. (2312.09244)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.objectives.regulariser import Outputs, PairPenalty

if TYPE_CHECKING:
    from torch import Tensor


class RewardCentring(PairPenalty, kind="reward-centring"):
    """(r_a + r_b)^2: fixes the offset that preferences leave free, prompt by prompt."""

    needs = "rewards"
    remedy_for = frozenset({"offset"})

    def __call__(self, outputs: Outputs, label: Tensor) -> Tensor:
        """Penalty of each pair (N,)."""
        del label  # both responses alike
        return outputs.scores.sum(1).square()
