"""Flip-corrected labels: robust DPO (rDPO, Chowdhury et al., 2403.00409)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties, expected_loss
from surefoot.objectives.margin_loss import MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class FlipCorrected(LabelModel, kind="flip-corrected"):
    """L = [(1 - e) l(y) - e l(1 - y)] / (1 - 2e), where l(y) = y psi(m) + (1 - y) psi(-m).

    Its expectation over flips at rate e is the loss on the clean label, for every margin. The
    price: one side of each pair has a negative weight (with the logistic loss a pair's loss falls
    without limit, slope -e / (1 - 2e)) and the variance grows by 1 / (1 - 2e)^2.
    """

    flip_rate: float = Field(0.1, ge=0, lt=0.5)
    """Probability that a label was flipped, in [0, 0.5)."""

    properties = LabelProperties(threat="flipped labels", signed=True)

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins."""
        e = self.flip_rate
        # l is linear in y, so the correction is a label outside [0, 1].
        return expected_loss(psi, margins, (evidence.label - e) / (1 - 2 * e))

    def neutral(self, psi: MarginLoss) -> LabelModel:
        """Flip rate 0."""
        return FlipCorrected(flip_rate=0.0)

    @property
    def known_flip_rate(self) -> float:
        """The flip rate."""
        return self.flip_rate
