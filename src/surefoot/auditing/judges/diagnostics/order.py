"""Does the verdict change with the order in which the two responses are shown?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.prediction_powered import FEWEST_LABELS
from surefoot.statistics.ties import side_of_half

#: Near ties flip with anything; one in ten leaves the mean of both orders worth asking for.
MATTERS = 0.1
#: From here on, if the order moves verdicts more than the texts do, the judge says nothing.
MOST = 0.5


def order(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Share of rows on which the verdict prefers one response in one order, the other in the other.

    A tie in one order only counts as half a change.
    """
    people, rows = material.people, material.both
    if not material.enough(rows):
        yield Lacking(
            f"{DIAGNOSTIC.name}: verdicts in both orders (--judge, or --judge-column-turned) on "
            f"{FEWEST_LABELS} rows of {FEWEST_CLUSTERS} prompts or more."
        )
        return
    shown, turned = material.shown[rows], material.turned[rows]
    changes = np.abs(side_of_half(shown) - side_of_half(turned)) / 2
    test = material.mean(changes, rows, MATTERS)
    size = test.estimate(len(rows), "prompts")
    weights = people.weights[rows]
    by_place, by_texts = (
        float(np.average(np.abs(one), weights=weights))
        for one in (shown - turned, shown + turned - 1)
    )
    nothing = test.value >= MOST and by_place > by_texts
    first = float(np.average((shown + 1 - turned) / 2, weights=weights))
    silent = " The order moves it more than the texts do: this judge says nothing." * nothing
    yield Measurement(
        size=size,
        test=test,
        seen=f"The verdict changes with the order on {size} of {len(rows):,} rows; the first "
        f"response is preferred with {first:.3f} (fair: .5).{silent}",
        rows=RowScores(
            rows[changes > 0][np.argsort(-np.abs(shown - turned)[changes > 0], kind="stable")],
            np.sort(np.clip(np.abs(shown - turned)[changes > 0], 0, 1))[::-1],
        ),
        advice="Do not use this judge: it goes by the place of a response. "
        "Where the second column names places and not responses, turn its coding round (--coding)."
        if nothing
        else "Ask in both orders and take the mean, which takes the place out; rows that change "
        "are near ties to this judge.",
        details={
            "by place": by_place,
            "by texts": by_texts,
            "first": first,
            "worthless": nothing,
        },
    )


DIAGNOSTIC = Diagnostic(
    name="order flips",
    threat="judge",
    question="Does the verdict change with the order of the responses?",
    unit="of rows whose verdict changes",
    matters=MATTERS,
    reference=0.25,
    null="at most this share of verdicts changes with the order",
    measure=order,
)
