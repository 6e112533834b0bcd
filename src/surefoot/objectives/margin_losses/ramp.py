"""Ramp loss (truncated hinge), as trained by the published code of VRPO (2504.03784)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.objectives.margin_loss import LossProperties, MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class Ramp(MarginLoss, kind="ramp"):
    """psi(m) = max(0, 1 - m) - max(0, -0.5 - m): the hinge, cut off at 1.5.

    Bounded, so that no pair can dominate, and without gradient outside [-0.5, 1]: margins settle
    near 1 in absolute value and are not log-odds.
    """

    properties = LossProperties(
        convex=False,
        smooth=False,
        bounded=True,
        lipschitz=1.0,
        odd_part_linear=False,
        signed_growth="none",
        calibrated=False,
        kinks=(1.0, -0.5),
    )

    def __call__(self, margins: Tensor) -> Tensor:
        """Losses, in the shape of the margins."""
        # The clamp of the difference, not the difference of two clamps: exact at huge margins.
        return (1 - margins).clamp(0.0, 1.5)

    def irreducible(self, probability: Tensor) -> Tensor:
        """1.5 min(P, 1 - P), at a margin of 1 or -1."""
        return 1.5 * probability.minimum(1 - probability)
