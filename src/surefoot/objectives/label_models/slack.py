"""Slack for corrupted pairs: R3M (Bukharin et al., 2406.15568)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties
from surefoot.objectives.margin_loss import MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class Slack(LabelModel, kind="slack"):
    """L = min over d >= 0 of psi(m + d) + penalty * d, on each side of the label.

    A pair may buy margin at a price, so that no pair pulls harder than the penalty: with the
    logistic loss the slope is -min(sigma(-m), penalty). Pairs with d > 0 are suspects. The best d
    is max(m0 - m, 0), where m0 is the margin at which psi has the slope -penalty.
    """

    penalty: float = Field(0.5, gt=0, le=1)
    """Price of slack, the largest pull of a pair, in (0, 1]; smaller is more robust."""

    properties = LabelProperties(threat="flipped labels", needs_convex_loss=True)

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins."""
        y = evidence.label
        return y * self._side(psi, margins) + (1 - y) * self._side(psi, -margins)

    def _side(self, psi: MarginLoss, margins: Tensor) -> Tensor:
        slack = self.slack(psi, margins)
        # Where slack is bought, psi(m0) is a constant and the penalty is linear in the margin.
        return psi(margins + slack) + self.penalty * slack

    def slack(self, psi: MarginLoss, margins: Tensor) -> Tensor:
        """The slack that each pair buys if a is preferred, in the shape of the margins."""
        return (psi.slack_point(self.penalty) - margins).relu()

    def neutral(self, psi: MarginLoss) -> LabelModel | None:
        """Penalty 1, for losses that are nowhere steeper than that."""
        return Slack(penalty=1.0) if psi.properties.lipschitz <= 1 else None
