"""How often would people prefer the first response, on all rows that the judge saw?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.auditing.picture import Dots
from surefoot.statistics.misclassified import misclassified
from surefoot.statistics.prediction_powered import FEWEST_LABELS, prediction_powered

#: Half-width of an interval that labels are counted for.
WANTED = 0.03


def win_rate(material: JudgeMaterial) -> Iterator[Measurement | Lacking]:
    """Mean label over all judged rows: by labels and verdicts (PPI++), and by Rogan and Gladen."""
    people, rows = material.people, material.judged
    if material.labelled[rows].sum() < FEWEST_LABELS:
        yield Lacking(
            f"{DIAGNOSTIC.name}: people's labels on {FEWEST_LABELS} rows with a verdict or more."
        )
        return
    turn, winner = orientation(material)
    verdicts, labels = (
        np.where(turn[rows] < 0, 1 - one[rows], one[rows])
        for one in (material.verdicts, material.labels)
    )
    prompts, weights = people.prompts[rows], people.weights[rows]
    found = prediction_powered(labels, verdicts, prompts, weights, seed=material.seed)
    sides = misclassified(labels, verdicts, prompts, weights)
    size = found.corrected
    if size.estimate is None or size.low is None:
        yield Lacking(f"{DIAGNOSTIC.name}: more labels ({size.note}).")
        return
    needed = found.labels_needed(WANTED, len(rows))
    rates = (
        f" By its two error rates: {sides.corrected}."
        if sides.corrected.low is not None
        else f" Its two error rates do not give one: {sides.corrected.note}."
    )
    more = (
        f" {needed:,} labels would bring the interval to ±{WANTED:.0%}."
        if needed
        else f" These rows are too few for ±{WANTED:.0%}, however many have a label."
    )
    yield Measurement(
        size=size,
        test=None,
        seen=f"{winner} wins {found.raw:.3f} by the judge, {size} by people as far as labels and "
        f"verdicts say (labels alone: {found.labelled}).{rates}{more}",
        advice="Report the corrected win rate with its interval, not the judge's own.",
        assumption="rows with a label are a random part of all rows",
        picture=Dots(
            names=["labels alone", "corrected", "by its error rates"],
            series={"win rate": [found.labelled, size, sides.corrected]}
            if sides.corrected.low is not None
            else {"win rate": [found.labelled, size, None]},
            axis=f"share that {winner[:1].lower()}{winner[1:]} wins",
            band=(None, None),
        ),
        details={
            "of": winner,
            "raw": found.raw,
            "labels alone": found.labelled.to_dict(),
            "corrected": size.to_dict(),
            "by error rates": sides.to_dict(),
            "coefficient": found.coefficient,
            "labels needed": needed,
        },
    )


def orientation(material: JudgeMaterial) -> tuple[Floats, str]:
    """1 where response a is that of whose wins are counted, -1 where b is, (N,), and its name.

    Of two models that wrote all pairs, the first by name; else response a.
    """
    authors = material.people.authors[material.judged]
    names = sorted({str(one) for one in authors.ravel() if one is not None})
    apart = bool(len(authors)) and bool((authors[:, 0] != authors[:, 1]).all())
    whole = not any(one is None for one in authors.ravel())
    if len(names) == 2 and apart and whole:
        first = material.people.authors[:, 0] == names[0]
        return np.where(first, 1.0, -1.0), repr(names[0])
    return np.ones(len(material.verdicts)), "The response that is named first"


DIAGNOSTIC = Diagnostic(
    name="win rate",
    threat="judge",
    question="How often do people prefer it, and not only the judge?",
    unit="of rows won",
    matters=0.5,
    reference=0.6,
    null="either side wins half of all rows",
    measure=win_rate,
    source="Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453 (PPI++); Rogan and Gladen 1978",
)
