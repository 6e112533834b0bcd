"""The expected loss under an auxiliary preference model, in place of the observed label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.errors import DataError
from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties, expected_loss
from surefoot.objectives.margin_loss import MarginLoss

if TYPE_CHECKING:
    from torch import Tensor


class ConditionalExpectation(LabelModel, kind="conditional-expectation"):
    """L = g psi(m) + (1 - g) psi(-m), where g is the auxiliary P(a preferred).

    The observed label is replaced by its expectation: no label noise is left for a supremum over
    pairs to pick, and all of the auxiliary model's error remains.
    """

    properties = LabelProperties(
        threat="flipped labels, under a risk over pairs",
        needs=frozenset({"auxiliary"}),
        plain_expectation=True,
    )
    remedy_for = frozenset({"misspecified"})

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins.

        Raises:
            DataError: no auxiliary probabilities among the evidence.
        """
        if evidence.auxiliary is None:
            raise DataError(f"{self.label()} needs the column 'auxiliary', P(a preferred).")
        return expected_loss(psi, margins, evidence.auxiliary)
