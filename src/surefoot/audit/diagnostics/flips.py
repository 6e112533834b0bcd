"""How many single labels are flipped, and which: what a model that did not see them says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.audit.material import Material
from surefoot.statistics.flip_mixture import ASSUMPTION, WIDEST, flip_mixture

#: Rows with at least this chance of a flip are suspects.
SUSPECTED = 0.5


def flips(material: Material) -> Iterator[Measurement | Lacking]:
    """A mixture of labels as they are and turned round, on margins out of fold."""
    found = flip_mixture(material.margins, material.labels, material.weights)
    rate = found.rate
    if rate.estimate is None or rate.low is None or rate.high is None:
        yield Lacking(f"{DIAGNOSTIC.name}: labels on pairs that a model distinguishes.")
        return
    chance = found.flipped(material.margins, material.labels)
    suspects = np.flatnonzero(chance >= SUSPECTED)
    suspects = suspects[np.argsort(-chance[suspects], kind="stable")]
    expected = float(chance[suspects].mean()) if len(suspects) else 0.0
    wide = rate.high - rate.low > WIDEST
    soft = not np.isin(material.labels, (0.0, 0.5, 1.0)).all()  # which is a remedy already
    seen = f"The labels look as if {rate} of them were flipped"
    seen += (
        ", an interval too wide to act on: single labels do not say it at this accuracy."
        if wide
        else f". {len(suspects):,} rows are suspects; {expected:.0%} of these should be flips."
    )
    yield Measurement(
        size=rate,
        test=None,
        seen=seen,
        rows=None if wide else RowScores(suspects, chance[suspects]),
        remedy={}
        if wide or soft or rate.low < 0.02
        else {"objective": {"labels": {"kind": "smoothed", "flip_rate": round(rate.estimate, 2)}}},
        advice="Collect a second vote on some of the pairs: votes show what single labels do not."
        if wide
        else "Read the first suspects. A hard pair that was labelled rightly looks like a flip "
        "where the model is wrong.",
        assumption=ASSUMPTION,
        details={"suspects": len(suspects), "expected_precision": expected},
    )


DIAGNOSTIC = Diagnostic(
    name="flipped labels",
    threat="noise",
    question="How many single labels are flipped, and which?",
    unit="of labels flipped",
    matters=0.05,
    reference=0.10,
    null="no label is flipped",
    measure=flips,
    embeds=True,
    source="Patrini et al. (1609.13944), forward correction",
)
