"""Do labels follow margins by another curve than the logistic one?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.encompassing import added_by
from surefoot.statistics.links import forward_log_odds

#: As for shortcuts, and as small: it moves 52.5 % of the labels one way.
MATTERS = 0.1
FEWEST = 200


def link(material: Material) -> Iterator[Measurement | Lacking]:
    """Labels regressed on margins and on what an isotonic link of earlier folds adds to them."""
    margins, labels, weights = material.margins, material.labels, material.weights
    curve = forward_log_odds(margins, labels, weights, material.folds(5))
    rows = np.isfinite(curve) & (weights > 0)
    m, y, w, prompts = margins[rows], labels[rows], weights[rows], material.prompts[rows]
    test = None
    if len(m) >= FEWEST and len(np.unique(prompts)) >= FEWEST_CLUSTERS:
        test = added_by(curve[rows], m, material.placed[rows], y, prompts, w, MATTERS)
    if test is None:
        yield Lacking(f"{DIAGNOSTIC.name}: {FEWEST} rows that a model distinguishes.")
        return
    size = test.estimate(len(labels), "prompts")
    sure = np.abs(m) >= np.quantile(np.abs(m), 0.9)
    claimed = float(np.average(expit(np.abs(m[sure])), weights=w[sure]))
    held = float(np.average(np.where(m > 0, y, 1 - y)[sure], weights=w[sure]))
    yield Measurement(
        size=size,
        test=test,
        seen=f"What an isotonic curve has beside the logistic one moves the labels by {size} "
        f"log-odds for a standard deviation of it; where a model is surest (a tenth of the rows) "
        f"it claims {claimed:.3f} and is right on {held:.3f}.",
        advice="Labels that are wrong however sure one could be bend the curve: see the flipped "
        "labels and the lapses. Else do not read probabilities off margins.",
        details={"claimed": claimed, "right": held},
    )


DIAGNOSTIC = Diagnostic(
    name="link",
    threat="misspecification",
    question="Do labels follow margins by another curve than the logistic one?",
    unit="log-odds for a standard deviation between the two curves",
    matters=MATTERS,
    reference=0.3,
    null="given the margin, what an isotonic link adds to it moves the label by at most this much",
    measure=link,
    embeds=True,
    source="Kallus (2512.21917), preferences with an unknown link; Dawid (1984), prequential",
)
