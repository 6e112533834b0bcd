"""Hinge loss: Joachims (2002), ranking SVM; SLiC-HF (2305.10425)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.objectives.margin_loss import NEVER_THAT_STEEP, LossProperties, MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class Hinge(MarginLoss, kind="hinge"):
    """psi(m) = max(0, 1 - m): no reward for margins beyond 1, constant slope below."""

    properties = LossProperties(
        convex=True,
        smooth=False,
        bounded=False,
        lipschitz=1.0,
        odd_part_linear=False,
        signed_growth="linear",
        calibrated=False,
        kinks=(1.0,),
    )

    remedy_for = frozenset({"confidence"})

    def __call__(self, margins: Tensor) -> Tensor:
        """Losses, in the shape of the margins."""
        return (1 - margins).relu()

    def irreducible(self, probability: Tensor) -> Tensor:
        """2 min(P, 1 - P), at a margin of 1 or -1."""
        return 2 * probability.minimum(1 - probability)

    def slack_point(self, penalty: float) -> float:
        """1: left of it the slope is -1 at once."""
        return 1.0 if penalty < 1 else NEVER_THAT_STEEP
