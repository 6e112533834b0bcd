"""How often is either slot chosen however plainly the margin speaks against it?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.flip_mixture import ASSUMPTION, WIDEST
from surefoot.statistics.lapses import lapse_rates

FEWEST = 200


def lapses(material: Material) -> Iterator[Measurement | Lacking]:
    """A logistic curve that begins at one lapse rate and ends at 1 less another."""
    rows = np.flatnonzero((material.placed > 0) & (material.weights > 0))
    if len(rows) < FEWEST or len(np.unique(material.prompts[rows])) < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} rows of {FEWEST_CLUSTERS} prompts in which either slot "
            "could be preferred. Where sides are drawn or the better one comes first, lapses are "
            "the flipped labels."
        )
        return
    margins = material.margins[rows]
    if not np.abs(margins).max() > 0:
        yield Lacking(f"{DIAGNOSTIC.name}: pairs that a model distinguishes.")
        return
    labels, weights = material.labels[rows], material.weights[rows]
    first, second = lapse_rates(margins, labels, weights, clusters=material.prompts[rows])
    assert first.estimate is not None
    assert second.estimate is not None
    one, other, more = first, second, "first"
    if first.estimate < second.estimate:
        one, other, more = second, first, "second"
    yield Measurement(
        size=one,
        test=None,
        seen=f"However plainly margins speak for the other, the first response is preferred at a "
        f"rate of {first}, and the second at {second}.",
        advice=f"The {more} slot is chosen unread more often: draw sides, or show pairs both ways "
        "round."
        if (one.low or 0.0) > (1.0 if other.high is None else other.high)
        else "Show some pairs both ways round: that says what single labels do not.",
        assumption=ASSUMPTION,
        widest=WIDEST,
        details={"first": first.to_dict(), "second": second.to_dict()},
    )


DIAGNOSTIC = Diagnostic(
    name="lapses",
    threat="misspecification",
    question="How often is a slot chosen whatever the responses say?",
    unit="of labels that do not depend on the margin, at the worse end",
    matters=0.05,
    reference=0.10,
    null="labels follow the margin at both ends",
    measure=lapses,
    embeds=True,
    source="Wichmann and Hill (2001), the psychometric function",
)
