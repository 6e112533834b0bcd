"""Label models: from margins and evidence to a loss per pair."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from surefoot.columns import Column
from surefoot.objectives.evidence import Evidence
from surefoot.objectives.margin_loss import Growth, MarginLoss
from surefoot.options import Member

if TYPE_CHECKING:
    from torch import Tensor

Threat = Literal[
    "",
    "flipped labels",
    "flipped labels, under a risk over pairs",
    "soft labels in doubt",
    "wrong preference model",
]


@dataclass(frozen=True, kw_only=True)
class LabelProperties:
    """What the validator and the solver need to know of a label model."""

    threat: Threat
    """Which threat it answers; empty for none."""
    signed: bool = False
    """Gives one side of a pair a negative weight: right in the mean only."""
    needs: frozenset[str] = frozenset()
    """Columns of the contract that it cannot do without."""
    columns: tuple[Column, ...] = ()
    """Columns of numbers that it reads beside, by `evidence.of(COLUMN)`, whatever its options; see
    :attr:`LabelModel.columns`."""
    plain_expectation: bool = False
    """At P(a preferred) = P its expectation is P psi(m) + (1 - P) psi(-m)."""
    needs_soft_labels: bool = False
    needs_convex_loss: bool = False
    needs_likelihood: bool = False
    """Needs a margin loss that is the negative log-likelihood of a preference."""
    smooth: bool = True
    """Differentiable in the margins where psi is, by default; see :attr:`LabelModel.smooth`."""


class LabelModel(Member, slot="label model"):
    """A rule that makes margin loss, margins and evidence a loss per pair, without reduction."""

    properties: ClassVar[LabelProperties]
    holding_option: ClassVar[str] = ""
    """Option that holds a loss which falls without limit; empty: there is none."""

    @abstractmethod
    def __call__(
        self,
        psi: MarginLoss,
        margins: Tensor,
        reference_margins: Tensor | None,
        evidence: Evidence,
    ) -> Tensor:
        """Losses per pair.

        Args:
            psi: the margin loss.
            margins: (N, ...) margins of the pairs.
            reference_margins: (P, ...) margins of the reference pairs, where there are any.
            evidence: what is known of each pair's preference.

        Returns:
            (N, ...) losses, in the shape of the margins.
        """

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of numbers that it reads beside, as it is set."""
        return self.properties.columns

    def neutral(self, psi: MarginLoss) -> LabelModel | None:
        """The model at the setting where it equals `observed`; None where it has none."""
        del psi  # most neutral settings do not depend on the margin loss
        return None

    @property
    def smooth(self) -> bool:
        """Whether losses are differentiable in the margins where psi is, as this model is set."""
        return self.properties.smooth

    def is_signed(self, psi: MarginLoss) -> bool:
        """Whether some pairs have a loss that is right in the mean only, as this model is set."""
        return self.properties.signed and self.neutral(psi) != self

    def keeps_convex(self, psi: MarginLoss) -> bool:
        """Whether losses are convex in the margins where psi is convex."""
        return psi.properties.odd_part_linear or not self.is_signed(psi)

    def growth(self, psi: MarginLoss) -> Growth:
        """How fast a pair's loss can fall as its margin grows; "none": it is bounded below."""
        return psi.properties.signed_growth if self.is_signed(psi) else "none"

    @property
    def known_flip_rate(self) -> float:
        """Share of labels that this model takes to be flipped at random."""
        return 0.0


def expected_loss(psi: MarginLoss, margins: Tensor, probability: Tensor) -> Tensor:
    """P psi(m) + (1 - P) psi(-m): the loss when a is preferred with this probability (N, ...)."""
    return probability * psi(margins) + (1 - probability) * psi(-margins)
