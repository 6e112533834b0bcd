"""Forward-corrected labels: Patrini et al. (1609.13944); for preferences 2509.24159, 2512.00709."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from surefoot.columns import Column
from surefoot.errors import ConfigurationError
from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties
from surefoot.objectives.margin_loss import MarginLoss

if TYPE_CHECKING:
    from torch import Tensor

#: Chance that the label of a row was flipped. What rows share (an annotator, a source) shares it.
FLIP_RATE = Column(name="flip_rate", low=0.0, high=0.49, example=0.1)


class ForwardCorrected(LabelModel, kind="forward-corrected"):
    """L = y F(m) + (1 - y) F(-m), F(m) = -log[(1 - e) exp(-psi(m)) + e exp(-psi(-m))].

    The likelihood of labels that were flipped at rate e, where exp(-psi(m)) is that of a clean one:
    its expectation is least at the clean model, as that of flip-corrected labels is, but a loss is
    never negative, nor above -log e. With the logistic loss a pair pulls with the chance that its
    label is right, (1 - e) sigma(m) / [(1 - e) sigma(m) + e sigma(-m)], less sigma(m): one far on
    the wrong side lets go, so that the loss is not convex.
    """

    flip_rate: Annotated[float, Field(ge=0, lt=0.5)] | Literal["column", "fitted"] = 0.1
    """e: the probability that a label was flipped, in [0, 0.5); `column`: each row's own, from the
    column `flip_rate`; `fitted`: the likeliest, by linear heads on embeddings out of fold, before
    training."""

    properties = LabelProperties(threat="flipped labels", needs_likelihood=True)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The column of flip rates, where it is asked for."""
        return (FLIP_RATE,) if self.flip_rate == "column" else ()

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins.

        Raises:
            DataError: no column of flip rates among the evidence.
            ConfigurationError: the margin loss is no likelihood, or the rate is still to be fitted.
        """
        if not psi.properties.likelihood:
            raise ConfigurationError(f"{self.label()} needs a loss that is a likelihood.")
        y, e = evidence.label, self._rate(evidence)
        return y * _side(psi, margins, e) + (1 - y) * _side(psi, -margins, e)

    def _rate(self, evidence: Evidence) -> Tensor:
        """The rate (), or of each row (N, ...)."""
        if self.flip_rate == "fitted":
            raise ConfigurationError(
                f"the flip rate of {self.label()} is 'fitted', which `surefoot train` does before "
                "it trains; here give a number."
            )
        if self.flip_rate == "column":
            return evidence.of(FLIP_RATE)
        return evidence.label.new_tensor(self.flip_rate)

    def fixed(self, flip_rate: float) -> ForwardCorrected:
        """A copy whose flip rate is the one that was fitted."""
        return self.model_copy(update={"flip_rate": flip_rate})

    def neutral(self, psi: MarginLoss) -> LabelModel:
        """Flip rate 0."""
        return ForwardCorrected(flip_rate=0.0)

    def keeps_convex(self, psi: MarginLoss) -> bool:
        """Whether the rate is 0: a loss that is bounded on both sides is not convex."""
        return self.flip_rate == 0

    @property
    def known_flip_rate(self) -> float:
        """The flip rate, where it is one number."""
        return self.flip_rate if isinstance(self.flip_rate, float) else 0.0


def _side(psi: MarginLoss, margins: Tensor, rate: Tensor) -> Tensor:
    """F (N, ...) at rates that broadcast: (1 - e) p + e (1 - p) = e + (1 - 2 e) p, p = e^-psi."""
    import torch

    plain = psi(margins)
    some = torch.where(rate > 0, rate, 0.25)  # without flips -log p, where p may be too small
    return torch.where(rate > 0, -(some + (1 - 2 * some) * (-plain).exp()).log(), plain)
