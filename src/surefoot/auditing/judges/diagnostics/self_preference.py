"""Does the judge prefer what it wrote itself more than people do?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.auditing.judges.pull import pull
from surefoot.statistics.prediction_powered import FEWEST_LABELS

#: As much as a place may move a judge either way.
MATTERS = 0.1


def self_preference(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """P(own response preferred) beyond people's labels, where the judge wrote one of the two."""
    judged = material.judged
    rows = judged[material.labelled[judged] & (material.own[judged] != 0)]
    found = pull(material, material.own, MATTERS, "above", rows)
    if found is None:
        whose = f"of {material.name!r} " if material.name else "of its own "
        yield Lacking(
            f"{DIAGNOSTIC.name}: people's labels on {FEWEST_LABELS} rows of 10 prompts in which "
            f"one response is {whose}(columns model_a and model_b; --judge-name), on either side."
        )
        return
    size = found.test.estimate(len(found.rows), "prompts")
    shares = [
        float(np.average(np.where(material.own[rows] > 0, one[rows], 1 - one[rows])))
        for one in (material.verdicts, material.people.labels)
    ]
    yield Measurement(
        size=size,
        test=found.test,
        seen=f"On {len(rows):,} rows with one response of its own, the judge gives that "
        f"{shares[0]:.3f}, people {shares[1]:.3f}: {size} that people's labels do not explain.",
        advice="Let another model judge what this one wrote.",
        details={"judge": shares[0], "people": shares[1]},
    )


DIAGNOSTIC = Diagnostic(
    name="self-preference",
    threat="judge",
    question="Does the judge prefer what it wrote itself?",
    unit="of probability moved to its own response",
    matters=MATTERS,
    reference=0.25,
    null="being its own moves the judge to a response by at most this much beyond people's labels",
    measure=self_preference,
)
