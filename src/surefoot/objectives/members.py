"""What an objective is made of, before it is known whether its parts go together."""

from __future__ import annotations

from surefoot.objectives.label_model import LabelModel
from surefoot.objectives.label_models.observed import Observed
from surefoot.objectives.margin_loss import MarginLoss
from surefoot.objectives.margin_losses.logistic import Logistic
from surefoot.objectives.regulariser import Regulariser
from surefoot.objectives.regularisers.wasserstein import Wasserstein
from surefoot.objectives.risk import Risk
from surefoot.objectives.risks.mean import Mean
from surefoot.options import Options


class Members(Options):
    """A member of each slot: what the validator reads."""

    loss: MarginLoss = Logistic()
    """Margin loss psi."""
    labels: LabelModel = Observed()
    """Label model: what to make of labels that may be wrong."""
    risk: Risk = Mean()
    """Risk: which pairs or groups count, and how much."""
    regularisers: tuple[Regulariser, ...] = ()
    """Penalties beside the risk; most are for scorers that are language models."""

    @property
    def wasserstein(self) -> Wasserstein | None:
        """The one regulariser that is no mean over pairs, where it is among them."""
        found = (one for one in self.regularisers if isinstance(one, Wasserstein))
        return next(found, None)

    def describe(self) -> str:
        """The objective in one line, as in the design: RISK[LABELS[LOSS]]."""

        def one(member: MarginLoss | LabelModel | Risk | Regulariser) -> str:
            hidden: dict[str, object] = {}
            if isinstance(member, Risk):
                fields = type(member).model_fields
                quiet = {*Risk.model_fields, "estimate", "dual_rate"} & set(fields)
                hidden = {name: fields[name].default for name in quiet}
                hidden["unit"] = member.unit  # is named behind
            options = ", ".join(f"{k}={v}" for k, v in member if hidden.get(k, ...) != v)
            return f"{member.kind}({options})" if options else member.kind

        plain = isinstance(self.risk, Mean) and self.risk.unit == "pair"
        over = "" if plain else f" over {self.risk.unit}s"
        beside = "".join(f" + {one(regulariser)}" for regulariser in self.regularisers)
        return f"{one(self.risk)}{over} of {one(self.labels)} of {one(self.loss)}{beside}"
