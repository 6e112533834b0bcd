"""How often does the judge side with people, on all rows, and as far as people do themselves?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.auditing.picture import Dots
from surefoot.statistics import Estimate, mean
from surefoot.statistics.agreement import beside_others, krippendorff_alpha
from surefoot.statistics.prediction_powered import FEWEST_LABELS, prediction_powered
from surefoot.statistics.ties import credit, side_of_half

#: Half-width of an interval that labels are counted for.
WANTED = 0.03


def accuracy(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Mean of 1 for the side of the label, 0 for the other, 1/2 where either ties (N rows).

    Corrected by how sure the judge is of each row (prediction-powered inference, cross-fitted).
    """
    people, rows = material.people, material.judged
    labels = material.labels[rows]
    if np.isfinite(labels).sum() < FEWEST_LABELS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: people's labels on {FEWEST_LABELS} rows with a verdict or more."
        )
        return
    right = np.where(np.isfinite(labels), material.right[rows], np.nan)
    prompts, weights = people.prompts[rows], people.weights[rows]
    found = prediction_powered(right, material.sure[rows], prompts, weights, seed=material.seed)
    size = found.corrected if found.corrected.estimate is not None else found.labelled
    if size.estimate is None or size.low is None:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of 10 prompts or more ({size.note}).")
        return
    needed = found.labels_needed(WANTED, len(rows)) if found.corrected.low is not None else None
    decided = material.compared
    raw = mean(material.right[decided], people.prompts[decided], people.weights[decided])
    agreement = chance_corrected(material)
    beside = beside_people(material)
    more = (
        f"{needed:,} labels would bring that interval to ±{WANTED:.0%}."
        if needed
        else f"These rows are too few for ±{WANTED:.0%}, however many have a label."
    )
    said = f" Beyond chance: {agreement} (1: always, 0: by chance)." if agreement.low else ""
    person = (
        f" A person sides with the majority of the others in {beside[1]:.3f}, the judge in "
        f"{beside[0]:.3f}."
        if beside
        else ""
    )
    yield Measurement(
        size=size,
        test=None,
        seen=f"The judge sides with people on {raw} of {len(decided):,} rows that they decided, "
        f"and, a tie as half, on {size} of all {len(rows):,} rows.{said}{person} {more}",
        advice="Judge its accuracy against what people reach among themselves, not against 1.",
        assumption="rows with a label are a random part of all rows",
        picture=Dots(
            names=["decided labels", "labels alone", "all rows, corrected"],
            series={"accuracy": [raw, found.labelled, size]},
            axis="share on which it sides with people",
            band=(None, 0.5),
        ),
        details={
            "decided": raw.to_dict(),
            "labels alone": found.labelled.to_dict(),
            "corrected": size.to_dict(),
            "coefficient": found.coefficient,
            "beyond chance": agreement.to_dict(),
            "labels needed": needed,
            "a person": None if beside is None else beside[1],
            "beside a person": None if beside is None else beside[0],
        },
    )


def chance_corrected(material: JudgeMaterial) -> Estimate:
    """Krippendorff's alpha of verdict and label, whichever response is named first."""
    rows = material.judged[material.labelled[material.judged]]
    people = material.people
    sides = np.stack([side_of_half(material.verdicts[rows]), side_of_half(people.labels[rows])])
    count = len(rows)
    return krippendorff_alpha(
        np.tile(np.arange(2 * count), 2),
        np.concatenate([np.concatenate([one, -one]) for one in sides]),
        np.tile(people.prompts[rows], 4),
        np.tile(people.weights[rows], 4),
    )


def beside_people(material: JudgeMaterial) -> tuple[float, float] | None:
    """How often the judge, and a person, side with the majority of the others' votes on a row.

    Of decided votes only, each left out of the majority that both are compared with.
    """
    votes, people = material.people.votes, material.people
    kept = np.isin(votes.pair, material.judged)
    pair, value = votes.pair[kept], votes.value[kept]
    others = beside_others(pair, value).mean
    some = np.isfinite(others) & (side_of_half(value) != 0)
    pair, value, others = pair[some], value[some], others[some]
    decided = side_of_half(others) != 0
    pair, value, others = pair[decided], value[decided], others[decided]
    if len(np.unique(pair)) < FEWEST_LABELS:
        return None
    both = (material.verdicts[pair], value)
    shares = [
        float(np.average(credit(side_of_half(one), others), weights=people.weights[pair]))
        for one in both
    ]
    return shares[0], shares[1]


DIAGNOSTIC = Diagnostic(
    name="accuracy",
    threat="judge",
    question="How often does the judge side with people?",
    unit="of rows",
    matters=0.5,
    reference=0.8,
    null="the judge sides with people as often as a coin",
    measure=accuracy,
    source="Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453 (PPI++)",
)
