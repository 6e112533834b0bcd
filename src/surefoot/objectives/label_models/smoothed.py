"""Smoothed labels: conservative DPO (cDPO)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties, expected_loss
from surefoot.objectives.margin_loss import MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class Smoothed(LabelModel, kind="smoothed"):
    """L = y' psi(m) + (1 - y') psi(-m) with y' = (1 - e) y + e (1 - y), flip rate e.

    Bounded below and convex, but biased: with the logistic loss the best margin of a clean pair is
    log((1 - e) / e) instead of growing without limit.
    """

    flip_rate: float = Field(0.1, ge=0, lt=0.5)
    """Probability that a label was flipped, in [0, 0.5)."""

    properties = LabelProperties(threat="flipped labels")
    remedy_for = frozenset({"confidence"})

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins."""
        e = self.flip_rate
        return expected_loss(psi, margins, (1 - e) * evidence.label + e * (1 - evidence.label))

    def neutral(self, psi: MarginLoss) -> LabelModel:
        """Flip rate 0."""
        return Smoothed(flip_rate=0.0)

    @property
    def known_flip_rate(self) -> float:
        """The flip rate."""
        return self.flip_rate
