"""How much more does a model learn that reads than one that only looks?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.blind import BlindModel, judged_by, margins_of_form
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Dots
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect

MATTERS = 0.02


def content(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy of the head on embeddings less that of one on features of form; both out of fold."""
    if len(np.unique(material.prompts[material.weights > 0])) < FEWEST_CLUSTERS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more, with a weight."
        )
        return
    form_alone = judged_by(material, margins_of_form(material))
    reads = judged_by(material, material.margins)
    gain, form = _estimate(reads, form_alone.right), _estimate(form_alone, 0.0)
    whole = _estimate(reads, 0.0)
    yield Measurement(
        size=gain,
        test=None,
        seen=f"Features of form alone (length, markdown, refusals and the like) predict {form} of "
        f"the labels{reads.left_out}; a model that reads predicts {whole}, which is {gain} more.",
        advice="Where reading adds little, a reward model is a judge of form whatever its size: "
        "evaluate it on pairs of like form, and collect labels for what you want beside form."
        if (gain.low or 0.0) < MATTERS
        else "Report the accuracy of form beside a model's own: only what is above it is reading.",
        assumption="a linear head on the offline encoder reads as much as the model that you train",
        picture=Dots(
            ["form alone", "reading"],
            {"accuracy": [form, whole]},
            "share of labels predicted right, out of fold",
            (None, 0.5),
            ["reading"],
        ),
        details={"form": form.estimate, "reading": whole.estimate},
    )


def _estimate(model: BlindModel, against: np.ndarray | float) -> Estimate:
    found = model.accuracy(against)
    error = max(found.error, 0.5 / len(model.rows))
    test = MinimumEffect(found.mean, error, found.freedom, 0.0, "either")
    return test.estimate(len(model.rows), "prompts")


DIAGNOSTIC = Diagnostic(
    name="content",
    threat="shortcut",
    question="How much of the labels takes reading?",
    unit="accuracy beyond that of form alone",
    matters=MATTERS,
    reference=0.05,
    null="a model that reads predicts no more labels than one that sees form alone",
    measure=content,
    embeds=True,
)
