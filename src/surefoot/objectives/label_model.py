"""Label models: from margins and evidence to a loss per pair."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import ClassVar

from torch import Tensor

from surefoot.objectives.margin_loss import MarginLoss
from surefoot.options import Member


@dataclass(frozen=True)
class Evidence:
    """What is known of the preference of each pair; shapes broadcast to the margins' (N, ...).

    Attributes:
        label: (N, ...) P(a preferred) as observed: 1, 0, 0.5 for a tie, or soft.
        auxiliary: (N, ...) P(a preferred) by an auxiliary preference model.
        reference_auxiliary: (N, M, ...) the same for M pairs of reference responses.
    """

    label: Tensor
    auxiliary: Tensor | None = None
    reference_auxiliary: Tensor | None = None

    def __getitem__(self, rows: Tensor | slice) -> Evidence:
        """The evidence of some rows."""
        return self._each(lambda values: values[rows])

    def as_columns(self) -> Evidence:
        """The evidence of (N,) pairs as (N, 1), which broadcasts over heads."""
        return self._each(lambda values: values[:, None])

    def like(self, tensor: Tensor) -> Evidence:
        """The evidence in the type and on the device of a tensor."""
        return self._each(lambda values: values.to(tensor))

    def swapped(self) -> Evidence:
        """The evidence with the two responses of every pair exchanged."""
        return self._each(lambda values: 1 - values)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Evidence:
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: change(v) for k, v in given.items() if v is not None})


@dataclass(frozen=True, kw_only=True)
class LabelProperties:
    """What the validator and the solver need to know of a label model."""

    threat: str
    """Which threat it answers; empty for none."""
    signed: bool = False
    """Gives one side of a pair a negative weight: right in the mean only."""
    needs: frozenset[str] = frozenset()
    """Columns of the data it cannot do without."""
    needs_soft_labels: bool = False
    needs_convex_loss: bool = False
    smooth: bool = True


class LabelModel(Member, slot="label model"):
    """From the margin loss, the margins and the evidence to a loss per pair, without reduction."""

    properties: ClassVar[LabelProperties]

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
            reference_margins: (N, M, ...) margins of the reference pairs, where there are any.
            evidence: what is known of each pair's preference.

        Returns:
            (N, ...) losses, in the shape of the margins.
        """

    def neutral(self, psi: MarginLoss) -> LabelModel | None:
        """The model at the setting where it equals `observed`; None where it has none."""
        del psi  # most neutral settings do not depend on the margin loss
        return None

    @property
    def known_flip_rate(self) -> float:
        """Share of labels that this model takes to be flipped at random."""
        return 0.0


def expected_loss(psi: MarginLoss, margins: Tensor, probability: Tensor) -> Tensor:
    """P psi(m) + (1 - P) psi(-m): the loss when a is preferred with this probability (N, ...)."""
    return probability * psi(margins) + (1 - probability) * psi(-margins)
