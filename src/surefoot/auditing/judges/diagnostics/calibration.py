"""Is the judge as often right as it is sure?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.auditing.picture import Curves
from surefoot.statistics.calibration import calibration as reliability
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.prediction_powered import FEWEST_LABELS

MATTERS = 0.05


def calibration(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Mean of max(p, 1 - p) less the share of people's decided labels on that side."""
    people, rows = material.people, material.compared
    if not material.graded:
        yield Lacking(f"{DIAGNOSTIC.name}: verdicts that are probabilities, not only sides.")
        return
    if not material.enough(rows):
        yield Lacking(
            f"{DIAGNOSTIC.name}: people's decided labels on {FEWEST_LABELS} rows with a verdict, "
            f"of {FEWEST_CLUSTERS} prompts or more."
        )
        return
    sure, right = material.sure[rows], material.right[rows]
    test = material.mean(sure - right, rows, MATTERS, "either")
    size = test.estimate(len(rows), "prompts")
    table = reliability(material.verdicts[rows], people.labels[rows], people.prompts[rows]).bins
    yield Measurement(
        size=size,
        test=test,
        seen=f"The judge is {float(np.average(sure, weights=people.weights[rows])):.3f} sure on "
        f"average, and right on {float(np.average(right, weights=people.weights[rows])):.3f}: "
        f"{size} surer than right.",
        advice="Take the calibrated probabilities of auxiliary.jsonl, never the judge's own.",
        picture=Curves(
            at=[one.confidence for one in table],
            series={"right": [one.accuracy for one in table]},
            axis="share that is right",
            along="how sure the judge is",
            band=(
                [one.confidence - MATTERS for one in table],
                [one.confidence + MATTERS for one in table],
            ),
        ),
    )


DIAGNOSTIC = Diagnostic(
    name="calibration",
    threat="judge",
    question="Is the judge as often right as it is sure?",
    unit="surer than right",
    matters=MATTERS,
    reference=0.12,
    null="the judge is at most this much more, or less, sure than it is right",
    measure=calibration,
)
