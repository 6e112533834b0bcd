"""Labels as observed: hard, soft or tied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties, expected_loss
from surefoot.objectives.margin_loss import MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class Observed(LabelModel, kind="observed"):
    """L = y psi(m) + (1 - y) psi(-m): every label is taken at its word (a tie is y = 0.5)."""

    properties = LabelProperties(threat="", plain_expectation=True)

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins."""
        return expected_loss(psi, margins, evidence.label)

    def neutral(self, psi: MarginLoss) -> LabelModel:
        """Always: this is the plain label model."""
        return self
