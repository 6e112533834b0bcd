"""Is there a part of the data on which the judge sides with people less than elsewhere?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from surefoot.arrays import Bools
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.diagnostics.worst_part import parts_served
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.auditing.picture import Dots
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.misclassified import misclassified

#: Ten points of accuracy more than double the labels that a part needs (they go with 1 / J^2).
MATTERS = 0.1


def by_group(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Accuracy on people's decided labels, of the worst part against all others, by column."""
    people = material.people
    if not people.groupings:
        yield Lacking(f"{DIAGNOSTIC.name}: a column source or group with two names or more.")
        return
    weights = np.zeros(len(people.weights))
    weights[material.compared] = people.weights[material.compared]
    for column, names in people.groupings.items():
        found = list(parts_served(weights, people.prompts, material.right, names))
        if not found:
            yield Lacking(f"{DIAGNOSTIC.name}: no {column} has 50 labelled rows on enough prompts.")
            continue
        worst = max(found, key=lambda one: (one.less - MATTERS) / one.error)
        tests = [
            MinimumEffect(one.less, one.error, one.freedom, MATTERS, picked=len(found))
            for one in found
        ]
        test = tests[found.index(worst)]
        sizes = [t.estimate(one.rows, "prompts") for t, one in zip(tests, found, strict=True)]
        size = test.estimate(len(material.compared), "prompts")
        yield Measurement(
            of=column,
            size=size,
            test=test,
            seen=f"On {column} {worst.name!r} the judge sides with people on {worst.accuracy:.3f} "
            f"of decided labels, {size} less than elsewhere.",
            advice="Correct it part by part, with labels from each; leave that part to people "
            "where it says nothing there.",
            picture=Dots(
                [one.name for one in found],
                {"less accuracy": sizes},
                DIAGNOSTIC.unit,
                (None, MATTERS),
                [worst.name],
            ),
            details={
                one.name: {"accuracy": one.accuracy, "less": one.less, **rates_on(material, part)}
                for one, part in ((one, names == one.name) for one in found)
            },
        )


def rates_on(material: JudgeMaterial, part: Bools) -> dict[str, Any]:
    """TPR, FPR and J on the labelled rows of a part (N,), each with its interval or a reason."""
    people, rows = material.people, material.compared[part[material.compared]]
    found = misclassified(
        people.labels[rows], material.verdicts[rows], people.prompts[rows], people.weights[rows]
    )
    named = {"TPR": found.true_rate, "FPR": found.false_rate, "J": found.skill}
    return {name: one.to_dict() for name, one in named.items()}


DIAGNOSTIC = Diagnostic(
    name="worst group",
    threat="judge",
    question="Is the judge worse on a part of the data?",
    unit="less accuracy than on the other parts",
    matters=MATTERS,
    reference=0.2,
    null="on no part the judge sides with people this much less than on the others",
    measure=by_group,
)
