"""The table of compositions: the validator run over every combination of members."""

from __future__ import annotations

from collections.abc import Iterable

from surefoot.objectives import (
    Facts,
    LabelModel,
    MarginLoss,
    Objective,
    Regulariser,
    Risk,
    verdicts,
)
from surefoot.objectives.validator.composition import RULES
from surefoot_docs.markdown import code, paragraphs, prose, table

#: What holds for any data; facts that are known refuse more (hard labels, missing columns).
UNKNOWN = Facts()

#: Kinds of scorers, and what the validator knows of them.
SCORERS = {
    "a head on frozen embeddings": Facts(frozen=True, linear=True),
    "reward model": Facts(scores="rewards", linear=False),
    "policy": Facts(scores="token sums", linear=False),
}


class Reasons:
    """Reasons in the order in which they were met, each with a number."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], int] = {}

    def cell(self, objective: Objective, facts: Facts = UNKNOWN) -> str:
        """`allowed`, or the gravest outcome with the numbers of all its reasons."""
        given = verdicts(objective, facts)
        if not given:
            return "allowed"
        numbers = [self.found.setdefault((v.outcome, v.reason), len(self.found) + 1) for v in given]
        return f"**{given[0].outcome}** {', '.join(map(str, numbers))}"

    def listed(self) -> str:
        """The numbered list."""
        return "\n".join(
            f"{number}. *{outcome}*: {prose(reason)}"
            for (outcome, reason), number in self.found.items()
        )


def objective(
    loss: str = "logistic", labels: str = "observed", risk: str = "mean", unit: str = ""
) -> Objective:
    """An objective with every member at its defaults, also one that would be refused."""
    return Objective.model_construct(
        loss=MarginLoss.parse(loss),
        labels=LabelModel.parse(labels),
        risk=Risk.parse({"kind": risk} | ({"unit": unit} if unit else {})),
    )


def regularised(kind: str, loss: str = "logistic") -> Objective:
    """The plain objective with a regulariser of weight 1, whatever else it requires."""
    cls = Regulariser.registry[kind]
    required = {name: 1.0 for name, field in cls.model_fields.items() if field.is_required()}
    return objective(loss=loss).model_copy(update={"regularisers": (cls(**required),)})


def parts() -> dict[str, str]:
    """The tables with their reasons, and the rules."""
    return {
        "labels-by-risks": labels_by_risks(),
        "losses-by-labels": losses_by_labels(),
        "regularisers-by-scorers": regularisers_by_scorers(),
        "rules": rules(),
    }


def labels_by_risks() -> str:
    """Label models against risks over single pairs and over groups, for the logistic loss."""
    columns = [(risk, unit) for risk in Risk.registry for unit in units(risk)]
    reasons = Reasons()
    rows = [
        [
            code(labels),
            *(reasons.cell(objective(labels=labels, risk=r, unit=u)) for r, u in columns),
        ]
        for labels in LabelModel.registry
    ]
    head = ["labels"] + [f"`{risk}` over {unit}s" for risk, unit in columns]
    return f"{table(head, rows)}\n\n{reasons.listed()}"


def units(risk: str) -> Iterable[str]:
    """The units that a risk is shown with; one where it allows a single kind only."""
    found = []
    for unit in ("pair", "group"):
        try:
            Risk.parse({"kind": risk, "unit": unit})
        except ValueError:
            continue
        found.append(unit)
    return found


def losses_by_labels() -> str:
    """Margin losses against label models, under the mean."""
    reasons = Reasons()
    rows = [
        [
            code(loss),
            *(reasons.cell(objective(loss=loss, labels=labels)) for labels in LabelModel.registry),
        ]
        for loss in MarginLoss.registry
    ]
    head = ["loss", *map(code, LabelModel.registry)]
    return f"{table(head, rows)}\n\n{reasons.listed()}"


def regularisers_by_scorers() -> str:
    """Regularisers against kinds of scorers, beside the plain objective."""
    reasons = Reasons()
    rows = [
        [code(kind), *(reasons.cell(regularised(kind), facts) for facts in SCORERS.values())]
        for kind in Regulariser.registry
    ]
    return f"{table(['regulariser', *SCORERS], rows)}\n\n{reasons.listed()}"


def rules() -> str:
    """Every rule of the validator in a sentence."""
    return "\n".join(
        f"- **{rule.__name__.replace('_', ' ')}**: {prose(paragraphs(rule)[0])}" for rule in RULES
    )
