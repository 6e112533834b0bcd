"""Which rows should people label next, so that the correction stays unbiased?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics import SHARE, mean

#: Rows that are named.
MOST = 1000


def label_next(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Rows without a label, drawn so that the first n of them are spread over verdicts, for any n.

    Every row has the same chance of every place, so labels are a random part of all rows whenever
    one stops.
    """
    rows = material.judged[~material.labelled[material.judged]]
    if not len(rows):
        yield Lacking(f"{DIAGNOSTIC.name}: rows with a verdict that people have not labelled.")
        return
    drawn = rows[spread_order(material.sure[rows], np.random.default_rng(material.seed))][:MOST]
    share = mean(material.labelled[material.judged].astype(np.float64), within=SHARE)
    if share.low is None:
        yield Lacking(f"{DIAGNOSTIC.name}: ten rows with a verdict.")
        return
    yield Measurement(
        size=share,
        test=None,
        seen=f"People have labelled {share} of {len(material.judged):,} rows with a verdict; "
        f"label-next.jsonl names {len(drawn):,} of the others, in the order to label them in.",
        advice="Label from the top and stop anywhere: any beginning of the list is a random part "
        "of the rows, spread over how sure the judge is. Rows picked by hand bias the correction.",
        assumption="rows that have a label already are a random part, too",
        rows=RowScores(drawn, np.linspace(1.0, 0.0, len(drawn))),
    )


def spread_order(values: Floats, rng: np.random.Generator) -> Ints:
    """An order of values (N,) whose every beginning is spread over them, (N,) positions.

    Ranks (ties in random order), moved round a circle by a random step, are taken in the order of
    van der Corput's sequence; each position is equally likely to come at each place.
    """
    count = len(values)
    ranked = np.lexsort((rng.random(count), values))
    bits = max(count - 1, 1).bit_length()
    numbers = np.arange(2**bits)
    turned = np.zeros_like(numbers)
    for bit in range(bits):
        turned |= ((numbers >> bit) & 1) << (bits - 1 - bit)
    # The k-th of the sequence lies at turned[k] / 2^bits of the circle: each rank once.
    places = np.unique(turned * count // 2**bits, return_index=True)[1]
    order = np.argsort(places, kind="stable")
    return ranked[(order + rng.integers(count)) % count].astype(np.int64)


DIAGNOSTIC = Diagnostic(
    name="label next",
    threat="judge",
    question="Which rows should people label next?",
    unit="of rows with a label",
    matters=0.0,
    reference=1.0,
    null="every row has a label",
    measure=label_next,
)
