"""Is the judge drawn to longer responses more than people are?"""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.auditing.blind import in_deviations
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.auditing.judges.pull import pull
from surefoot.statistics.prediction_powered import FEWEST_LABELS

#: A judge with no other fault, that decides each pair as the most likely label is, moves by up to
#: half of people's own slope more: .05 for those who move by .1, as on HH.
MATTERS = 0.05


def verbosity(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Slope of verdicts in the difference of log lengths, beyond that of people's labels."""
    length = in_deviations(material.people.contrasts["length"])
    found = pull(material, length, MATTERS)
    if found is None:
        yield Lacking(
            f"{DIAGNOSTIC.name}: people's labels on {FEWEST_LABELS} rows of 10 prompts whose "
            "responses differ in length."
        )
        return
    size = found.test.estimate(len(found.rows), "prompts")
    yield Measurement(
        size=size,
        test=found.test,
        seen=f"A standard deviation of length moves the judge by {found.judge:+.3f}, people by "
        f"{found.people or 0.0:+.3f}: {size} towards longer responses (below 0: shorter) that "
        "people's labels do not explain.",
        advice="Report win rates on pairs of like length beside the whole; ask the judge to leave "
        "length out of it, and audit it again.",
        details={"judge": found.judge, "people": found.people},
    )


DIAGNOSTIC = Diagnostic(
    name="verbosity",
    threat="judge",
    question="Is the judge drawn to longer responses, or to shorter ones, more than people are?",
    unit="of probability for a standard deviation of length",
    matters=MATTERS,
    reference=0.12,
    null="length moves the judge by at most this much more than people's labels explain",
    measure=verbosity,
)
