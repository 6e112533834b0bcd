"""A ball around soft labels: DPO-PRO (2510.23590)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties, expected_loss
from surefoot.objectives.margin_loss import MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class PreferenceBall(LabelModel, kind="preference-ball"):
    """L = max over p of p psi(m) + (1 - p) psi(-m), (p - y)^2 <= radius y (1 - y), p in [0, 1].

    The label itself is uncertain, in a chi-squared ball: widest at y = 1/2 and of no width at
    y = 0 or 1, so that it needs soft labels. With the logistic loss it adds d |m| with
    d = min(room, sqrt(radius y (1 - y))): a penalty on confidence where annotators disagree.
    """

    radius: float = Field(0.1, ge=0)
    """Radius of the chi-squared ball around each label."""

    properties = LabelProperties(
        threat="soft labels in doubt", needs_soft_labels=True, smooth=False
    )

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins."""
        y = evidence.label
        gap = psi(margins) - psi(-margins)
        reach = (self.radius * y * (1 - y)).sqrt()
        worst = (y + gap.detach().sign() * reach).clamp(0, 1)  # constant in the margin (Danskin)
        return expected_loss(psi, margins, worst)

    def neutral(self, psi: MarginLoss) -> LabelModel:
        """Radius 0."""
        return PreferenceBall(radius=0.0)
