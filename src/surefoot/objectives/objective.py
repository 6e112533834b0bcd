"""The objective: risk over units of the mean over pairs of a label model of a margin loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from surefoot.errors import DataError
from surefoot.objectives.evidence import Evidence
from surefoot.objectives.members import Members
from surefoot.objectives.regulariser import Outputs, PairPenalty
from surefoot.objectives.risk import RiskValue, State, Units
from surefoot.objectives.validator.composition import enforce

if TYPE_CHECKING:
    from torch import Tensor


class Objective(Members):
    """RISK over units of mean over pairs of LABELS[psi, margins, evidence] + REGULARISERS.

    One object for reward models, policies and heads on frozen embeddings: it sees tensors only.
    Members that do not compose are refused when it is constructed
    (:mod:`surefoot.objectives.validator.composition`).
    """

    title: ClassVar[str] = "the objective"

    @model_validator(mode="after")
    def _refuse_what_does_not_compose(self) -> Self:
        enforce(self)
        return self

    def pair_losses(
        self, margins: Tensor, evidence: Evidence, reference_margins: Tensor | None = None
    ) -> Tensor:
        """Loss of each pair (N, ...), from margins (N, ...) and evidence that broadcasts to it."""
        return self.labels(self.loss, margins, reference_margins, evidence)

    def penalties(self, outputs: Outputs, label: Tensor) -> Tensor:
        """Weighted sum of the penalties per pair (N,), from what the scorer makes of N pairs."""
        total = outputs.scores.new_zeros(len(outputs.scores))
        for regulariser in self.regularisers:
            if isinstance(regulariser, PairPenalty):
                total = total + regulariser.weight * regulariser(outputs, label)
        return total

    def squared_gradients(
        self,
        margins: Tensor,
        evidence: Evidence,
        steepness: Tensor,
        reference_margins: Tensor | None = None,
    ) -> Tensor:
        """|grad_x loss|^2 of each pair (N, ...): its slope in the margin, squared, times steepness.

        Differentiable in margins and steepness where the margins are.

        Args:
            margins: (N, ...).
            evidence: what is known of each pair.
            steepness: |grad_x margin|^2, broadcasts to the margins.
            reference_margins: (P, ...) of the reference pairs, where there are any.
        """
        import torch

        learn = margins.requires_grad
        with torch.enable_grad():
            at = margins if learn else margins.detach().requires_grad_()
            losses = self.pair_losses(at, evidence, reference_margins)
            (slopes,) = torch.autograd.grad(losses.sum(), at, create_graph=learn)
        return slopes.square() * steepness

    def __call__(
        self,
        margins: Tensor,
        evidence: Evidence,
        *,
        mass: Tensor | None = None,
        units: Units | None = None,
        reference_margins: Tensor | None = None,
        state: State | None = None,
    ) -> RiskValue:
        """The objective's value (...) with its gradient, and the worst-case weights.

        The gradient is that of ``sum(weights * pair_losses)``, in any split over micro-batches
        and ranks.

        Args: see :class:`~surefoot.objectives.risk.Risk` for `mass`, `units` and `state`,
            :meth:`pair_losses` for the others.
        """
        losses = self.pair_losses(margins, evidence, reference_margins)
        return self.risk_of(losses, evidence, mass, units, state)

    def risk_of(
        self,
        losses: Tensor,
        evidence: Evidence,
        mass: Tensor | None = None,
        units: Units | None = None,
        state: State | None = None,
    ) -> RiskValue:
        """The risk of pair losses (N, ...), or of what each is above the least that is possible.

        Raises:
            DataError: the risk is of regrets, and there is no auxiliary probability.
        """
        if self.risk.regret:
            if evidence.auxiliary is None:
                raise DataError("risk.regret needs the column 'auxiliary', P(a preferred).")
            losses = losses - self.loss.irreducible(evidence.auxiliary)
        return self.risk(losses, mass, units, state)

    @property
    def convex(self) -> bool:
        """Whether the objective is convex in the margins, with what is a function of slopes."""
        if self.wasserstein is not None:
            return False
        convex = self.loss.properties.convex and self.risk.convex
        return convex and self.labels.keeps_convex(self.loss)

    @property
    def smooth(self) -> bool:
        """Whether the objective is differentiable in the margins everywhere."""
        risk_and_loss = self.loss.properties.smooth and self.risk.properties.smooth
        return risk_and_loss and self.labels.smooth

    @property
    def known_flip_rate(self) -> float:
        """Share of labels that are taken to be flipped at random."""
        return self.labels.known_flip_rate
