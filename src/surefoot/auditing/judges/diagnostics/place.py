"""Does the judge take the first response, or the second, whatever they say?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.auditing.judges.pull import pull
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.prediction_powered import FEWEST_LABELS

#: What is warned of when a judge is asked (`docs/judge.md`).
MATTERS = 0.05
_BOTH = (
    "Ask in both orders (--judge does) and take the mean, in which the place has no say; a judge "
    "that is asked in one order needs sides drawn at random."
)


def place(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Mean of P(first preferred) over both orders, less 1/2, in which the responses cancel.

    Of one order only: how far the judge goes to the first response beyond people's labels.
    """
    rows = material.both
    if material.enough(rows):
        first = (material.shown[rows] + 1 - material.turned[rows]) / 2 - 0.5
        test = material.mean(first, rows, MATTERS, "either")
        size = test.estimate(len(rows), "prompts")
        said = f"Over both orders of {len(rows):,} rows, the judge gives the first response {size} "
        said += "more than half."
    else:
        found = pull(material, np.ones(len(material.shown)), MATTERS, is_place=True)
        if found is None:
            yield Lacking(
                f"{DIAGNOSTIC.name}: verdicts in both orders, or in one order beside people's "
                f"labels, on {FEWEST_LABELS} rows of {FEWEST_CLUSTERS} prompts or more."
            )
            return
        test = found.test
        size = test.estimate(len(found.rows), "prompts")
        said = (
            f"Asked in one order only, the judge gives response a {found.judge + 0.5:.3f} on "
            f"{len(found.rows):,} rows, people {(found.people or 0.0) + 0.5:.3f}: {size} more than "
            "they do, if a was shown first."
        )
    yield Measurement(size=size, test=test, seen=said, advice=_BOTH)


DIAGNOSTIC = Diagnostic(
    name="slot preference",
    threat="judge",
    question="Does the judge take the response of one place, whatever it says?",
    unit="of probability moved to one place",
    matters=MATTERS,
    reference=0.15,
    null="the place of a response moves the judge by at most this much",
    measure=place,
)
