"""Do old and new rows want different things, or are new ones noisier?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.audit.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.logistic import logistic
from surefoot.statistics.minimum_effect import MinimumEffect

MATTERS = 0.15
FEWEST = 200


def drift(material: Material) -> Iterator[Measurement | Lacking]:
    """How labels' slope in margins out of fold differs between the later half and the earlier.

    Labels that are turned round more often have a smaller slope; so have those of people who have
    come to want something else.
    """
    time = material.time
    given = np.isfinite(time)
    if given.sum() < FEWEST or len(np.unique(time[given])) < 2:
        yield Lacking(f"{DIAGNOSTIC.name}: a column time on {FEWEST} rows or more.")
        return
    margins, labels = material.margins[given], material.labels[given]
    middle = float(np.median(time[given]))
    later = time[given] > middle if (time[given] > middle).any() else time[given] >= middle
    side = np.where(later, 0.5, -0.5)
    prompts = material.prompts[given]
    if len(np.unique(prompts)) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    place = material.placed[given]
    found = logistic(
        np.stack([margins, margins * side, place, place * side], axis=1),
        labels,
        prompts,
        material.weights[given],
    )
    value, error, freedom = (
        float(part[1]) for part in (found.coefficients, found.errors, found.freedom)
    )
    test = MinimumEffect(value, error, freedom, MATTERS, "either")
    size = test.estimate(len(labels), "prompts")
    less = "less" if value < 0 else "more"
    yield Measurement(
        size=size,
        test=test,
        seen=f"Later rows follow what all data teach {less} than earlier ones: the slope "
        f"differs by {size}, where {found.coefficients[0]:.2f} is the mean of both.",
        advice="Read rows of both halves; where guidelines changed, train on the later ones, or "
        "weight them.",
        details={"slope": float(found.coefficients[0]), "middle": middle},
    )


DIAGNOSTIC = Diagnostic(
    name="drift",
    threat="time",
    question="Do new labels follow what the data teach as old ones do?",
    unit="difference of slopes",
    matters=MATTERS,
    reference=0.4,
    null="the slope in the later half differs by at most this from that in the earlier one",
    measure=drift,
    embeds=True,
)
