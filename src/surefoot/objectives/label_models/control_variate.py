"""Labels with a control variate from reference samples: VRPO (Ye et al., 2504.03784)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives.evidence import Evidence
from surefoot.objectives.label_model import LabelModel, LabelProperties, expected_loss
from surefoot.objectives.margin_loss import Growth, MarginLoss

if TYPE_CHECKING:
    from torch import Tensor

NEEDS = frozenset({"auxiliary", "references", "reference_auxiliary"})


class ControlVariate(LabelModel, kind="control-variate"):
    """L = l(y; m) + c [mean_j l(g*_j; m*_j) - l(g; m)], where l(p; m) = p psi(m) + (1 - p) psi(-m).

    g is an auxiliary model's P(a preferred) of the pair, g*_j and m*_j its probability and the
    margin of the j-th pair of reference responses to the same prompt. Where the data's responses
    are draws from the reference policy too, the bracket has mean zero *whatever* the auxiliary
    model says, and a good one cancels what the labels of a misspecified preference model scatter.
    Where they are not, the loss is still right at c = 1 if the auxiliary model is. With the
    logistic loss and c > 0 a pair's loss falls without limit, slope -c (1 - g).
    """

    coefficient: Annotated[float, Field(ge=0, le=1)] | Literal["shrunk", "fitted"] = "fitted"
    """c: a number in [0, 1]; `shrunk`: M / (M + n) for M independent reference pairs that n rows
    share, best for the variance of the loss's value under a true auxiliary model; `fitted`: least
    estimated variance of the parameters of a linear head on frozen embeddings, 0 or next to it
    where the auxiliary model is useless."""
    margin_limit: float | None = Field(None, gt=0)
    """Margins beyond it count as the limit, which bounds every loss (and pulls no further); absent:
    no limit."""

    properties = LabelProperties(threat="wrong preference model", signed=True, needs=NEEDS)
    holding_option = "margin_limit"
    shown_at: ClassVar[Mapping[str, Any]] = {"coefficient": 0.8}

    def __call__(
        self, psi: MarginLoss, margins: Tensor, reference_margins: Tensor | None, evidence: Evidence
    ) -> Tensor:
        """Losses per pair, in the shape of the margins.

        Raises:
            DataError: no auxiliary probabilities or no reference pairs among the evidence.
            ConfigurationError: the coefficient is still to be fitted.
        """
        if evidence.auxiliary is None:
            raise DataError(f"{self.label()} needs the column 'auxiliary', P(a preferred).")
        if evidence.references is None or reference_margins is None:
            raise DataError(f"{self.label()} needs reference responses (surefoot sample).")
        if self.margin_limit is not None:
            margins, reference_margins = (
                m.clamp(-self.margin_limit, self.margin_limit) for m in (margins, reference_margins)
            )
        of_references = evidence.references.average(
            expected_loss(psi, reference_margins, evidence.references.auxiliary)
        )
        correction = of_references - expected_loss(psi, margins, evidence.auxiliary)
        return expected_loss(psi, margins, evidence.label) + self._c(evidence) * correction

    def _c(self, evidence: Evidence) -> Tensor | float:
        """The coefficient, or (N, 1...) one for each row.

        `shrunk`: let g be true, so that y - g is noise of its own, and let l have the variance v
        for every pair of responses. Summed over the n rows that share M pairs, the loss is that
        noise, plus (1 - c) times n terms of the rows, plus c n times a mean of M: its variance,
        v (n (1 - c)^2 + c^2 n^2 / M) beside the noise's, is least at c = M / (M + n).
        """
        if self.coefficient == "fitted":
            raise ConfigurationError(
                f"the coefficient of {self.label()} is 'fitted', which `surefoot train` does "
                "before it trains; here give a number."
            )
        if self.coefficient != "shrunk":
            return self.coefficient
        assert evidence.references is not None
        references = evidence.references
        shrunk = 1 / (1 + references.rows / references.independent)
        shrunk = shrunk[references.of].to(evidence.label)
        return shrunk.view(-1, *[1] * (evidence.label.dim() - 1))

    def fixed(self, coefficient: float) -> ControlVariate:
        """A copy whose coefficient is the one that was fitted."""
        return self.model_copy(update={"coefficient": coefficient})

    def neutral(self, psi: MarginLoss) -> LabelModel:
        """The control variate with coefficient 0."""
        return ControlVariate(coefficient=0.0)

    @property
    def smooth(self) -> bool:
        """Whether margins have no limit: at a limit the slope jumps to 0."""
        return self.margin_limit is None

    def keeps_convex(self, psi: MarginLoss) -> bool:
        """Whether the odd part is linear, since c is at most 1; not where margins are limited."""
        free = self.margin_limit is None
        return free and (psi.properties.odd_part_linear or self.coefficient == 0)

    def growth(self, psi: MarginLoss) -> Growth:
        """Growth of signed labels; what is left of the squared loss at c = 1 is linear."""
        if self.coefficient == 0 or self.margin_limit is not None or psi.properties.bounded:
            return "none"
        if psi.properties.signed_growth == "none":  # grows like m^2 (1 - c)
            sure_below_one = isinstance(self.coefficient, float) and self.coefficient < 1
            return "none" if sure_below_one else "linear"
        return psi.properties.signed_growth
