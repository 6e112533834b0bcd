"""Is the judge good enough to be an auxiliary preference model?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.calibrated import log_odds, scale_of, scaled_out_of_fold
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.estimate import Scope
from surefoot.statistics.intervals import quantile
from surefoot.statistics.prediction_powered import FEWEST_LABELS

#: Share of what labels vary by below which an auxiliary model cancels next to nothing: the variance
#: that a control variate takes off is at most the share that it explains.
LEAST = 0.05


def auxiliary(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """R^2 = 1 - sum (label - g)^2 / sum (label - 1/2)^2, g calibrated on other prompts' labels."""
    people = material.people
    rows = material.judged[material.labelled[material.judged]]
    prompts, weights = people.prompts[rows], people.weights[rows]
    if not material.enough(rows):
        yield Lacking(
            f"{DIAGNOSTIC.name}: people's labels on {FEWEST_LABELS} rows with a verdict, of "
            f"{FEWEST_CLUSTERS} prompts or more."
        )
        return
    labels, odds = people.labels[rows], log_odds(material.verdicts[rows])
    g = expit(scaled_out_of_fold(material, rows))
    whole = np.square(labels - 0.5)
    total = float(np.average(whole, weights=weights))
    if not total > 0:
        yield Lacking(f"{DIAGNOSTIC.name}: labels of people that are no ties.")
        return
    saved = whole - np.square(labels - g)
    value = float(np.average(saved, weights=weights)) / total
    moments = spread((saved - value * whole) / total, Dependence.of(prompts, len(rows)), weights)
    reach = quantile(moments.freedom, 0.95) * moments.error
    size = Scope(len(rows), "prompts", 0.95, (-1.0, 1.0)).interval(
        value, value - reach, value + reach
    )
    poor = size.low is None or size.low < LEAST
    scale = scale_of(odds, labels, weights)
    yield Measurement(
        size=size,
        test=None,
        seen=f"Calibrated on people's labels (its log-odds times {scale:.2f}), the judge explains "
        f"{size} of what labels vary by.",
        remedy={} if poor else {"objective": {"labels": {"kind": "conditional-expectation"}}},
        advice="Too poor to help as an auxiliary model: a control variate saves at most the share "
        "of the variance that its auxiliary explains, and where rewards explain preferences a poor "
        "one adds variance. Train on people's labels, or find a better judge."
        if poor
        else "auxiliary.jsonl holds the calibrated probabilities. With the option of a "
        "configuration they stand for labels, also on rows that have none, with all of the judge's "
        "error. As the auxiliary of VRPO (labels: control-variate) they leave labels unbiased; "
        "that takes references that the judge judged, too: surefoot sample with `reference` and "
        "`auxiliary: {kind: judge}`. Its coefficient is fitted: 0 where the judge does not help.",
        assumption="rows with a label are a random part of all rows",
        details={"scale": scale, "least": LEAST},
    )


DIAGNOSTIC = Diagnostic(
    name="auxiliary",
    threat="judge",
    question="Is the judge good enough to be an auxiliary preference model?",
    unit="of what labels vary by, explained",
    matters=LEAST,
    reference=0.2,
    null="the judge explains at most this much of people's labels",
    measure=auxiliary,
)
