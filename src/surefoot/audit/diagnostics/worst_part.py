"""Is a source or group served worse by what all data teach together?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.audit.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_margins

MATTERS = 0.05
FEWEST = 50


def worst_part(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy out of fold of the worst part against that of all others, for each column."""
    if not material.groupings:
        yield Lacking(f"{DIAGNOSTIC.name}: a column source or group with two names or more.")
        return
    right = credit(side_of_margins(material.margins), material.labels)
    for column, names in material.groupings.items():
        found = []
        for name in sorted({one for one in names.tolist() if one is not None}):
            inside = names == name
            prompts = material.prompts[inside], material.prompts[~inside]
            if inside.sum() < FEWEST or min(len(np.unique(p)) for p in prompts) < FEWEST_CLUSTERS:
                continue
            own, others = (
                spread(right[rows], Dependence.of(p, len(p)), np.ones(len(p)))
                for rows, p in zip((inside, ~inside), prompts, strict=True)
            )
            error = float(np.hypot(own.error, others.error))
            floor = 0.5 / inside.sum()
            found.append((name, others.mean - own.mean, max(error, floor), own.freedom, own.mean))
        if not found:
            yield Lacking(f"{DIAGNOSTIC.name}: no {column} has {FEWEST} rows on enough prompts.")
            continue
        name, value, error, freedom, accuracy = max(found, key=lambda one: one[1] / one[2])
        test = MinimumEffect(value, error, freedom, MATTERS, picked=len(found))
        size = test.estimate(len(right), "prompts")
        yield Measurement(
            of=column,
            size=size,
            test=test,
            seen=f"What all data teach together is right on {accuracy:.3f} of the pairs of "
            f"{column} {name!r}, {size} less than on the others.",
            remedy={"objective": {"risk": {"kind": "kl-penalised", "unit": column}}},
            advice="A worse part may also be noisier, which no training mends: compare the votes.",
            details={one[0]: {"accuracy": one[4], "less": one[1]} for one in found},
        )


DIAGNOSTIC = Diagnostic(
    name="worst part",
    threat="generalisation",
    question="Is a part of the data served worse than the rest?",
    unit="less accuracy than on the other parts",
    matters=MATTERS,
    reference=0.1,
    null="no part's accuracy is further than this below that of the others",
    measure=worst_part,
    embeds=True,
)
