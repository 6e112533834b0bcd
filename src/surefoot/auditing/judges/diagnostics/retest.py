"""Does the judge say the same when it is asked the same question again?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.prediction_powered import FEWEST_LABELS
from surefoot.statistics.ties import side_of_half

#: Noise of one in twenty costs a tenth of J, which a fifth more labels make up for.
MATTERS = 0.05


def retest(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Share of rows whose verdict changes in the same order, a tie in one of both by half."""
    people = material.people
    asked = np.isfinite(material.shown) & np.isfinite(material.again) & (people.weights > 0)
    rows = np.flatnonzero(asked)
    if not material.enough(rows):
        yield Lacking(
            f"{DIAGNOSTIC.name}: verdicts of a second run in the same order "
            f"(--judge-column-again) on {FEWEST_LABELS} rows of {FEWEST_CLUSTERS} prompts or more."
        )
        return
    both = (side_of_half(one[rows]) for one in (material.shown, material.again))
    changes = np.abs(np.subtract(*both)) / 2
    test = material.mean(changes, rows, MATTERS)
    size = test.estimate(len(rows), "prompts")
    yield Measurement(
        size=size,
        test=test,
        seen=f"Asked again in the same order, the judge changes its verdict on {size} of "
        f"{len(rows):,} rows.",
        advice="Ask at temperature 0 or for log-probabilities, or take the mean of several "
        "answers.",
    )


DIAGNOSTIC = Diagnostic(
    name="retest flips",
    threat="judge",
    question="Does the judge contradict itself when it is asked again?",
    unit="of rows whose verdict changes",
    matters=MATTERS,
    reference=0.15,
    null="at most this share of verdicts changes from one run to the next",
    measure=retest,
)
