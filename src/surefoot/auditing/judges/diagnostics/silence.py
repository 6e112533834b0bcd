"""Does the judge say anything of what people prefer?"""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.misclassified import misclassified
from surefoot.statistics.prediction_powered import FEWEST_LABELS

#: A coin contradicts half of the labels. What contradicts 40 % needs 25 times the labels of a judge
#: that is always right for the same win rate, as these grow with 1 / J^2.
MATTERS = 0.4


def silence(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Share of people's decided labels that the verdict contradicts, a tied verdict by half."""
    people, rows = material.people, material.compared
    if not material.enough(rows):
        yield Lacking(
            f"{DIAGNOSTIC.name}: people's decided labels on {FEWEST_LABELS} rows with a verdict, "
            f"of {FEWEST_CLUSTERS} prompts or more."
        )
        return
    test = material.mean(1 - material.right[rows], rows, MATTERS)
    size = test.estimate(len(rows), "prompts")
    rates = misclassified(
        people.labels[rows], material.verdicts[rows], people.prompts[rows], people.weights[rows]
    )
    skill = (
        f" J = TPR - FPR is {rates.skill} (1: always right, 0: says nothing)."
        if rates.skill.low is not None
        else ""
    )
    yield Measurement(
        size=size,
        test=test,
        seen=f"The judge contradicts {size} of {len(rows):,} labels that people decided (a coin: "
        f".5).{skill}",
        advice="Do not use this judge: its verdicts say next to nothing of what people prefer. "
        "Take another model, ask for log-probabilities, or change the question.",
        details={
            "true rate": rates.true_rate.to_dict(),
            "false rate": rates.false_rate.to_dict(),
            "J": rates.skill.to_dict(),
        },
    )


DIAGNOSTIC = Diagnostic(
    name="says nothing",
    threat="judge",
    question="Does the judge say anything of what people prefer?",
    unit="of decided labels contradicted",
    matters=MATTERS,
    reference=0.5,
    null="the judge contradicts at most this share of people's decided labels",
    measure=silence,
)
