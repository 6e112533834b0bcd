"""Is a source or group served worse by what all data teach together?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Floats
from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.audit.material import Material
from surefoot.audit.parts import parts_of
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_margins

MATTERS = 0.05
FEWEST = 50
#: What docs/risks.md recommends where there is no auxiliary model.
_RISK = {"kind": "chi-squared", "radius": 0.05}


def worst_part(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy out of fold of the worst part against that of all others, for each column."""
    if not material.groupings:
        yield Lacking(f"{DIAGNOSTIC.name}: a column source or group with two names or more.")
        return
    right = credit(side_of_margins(material.margins), material.labels)
    for column, names in material.groupings.items():
        found = []
        for name in parts_of(names, FEWEST):
            inside = names == name
            prompts = material.prompts[inside], material.prompts[~inside]
            if min(len(np.unique(p)) for p in prompts) < FEWEST_CLUSTERS:
                continue
            own, others = (
                spread(right[rows], Dependence.of(p, len(p)), np.ones(len(p)))
                for rows, p in zip((inside, ~inside), prompts, strict=True)
            )
            both = _jointly(right, inside, material.prompts)
            error = max(float(np.hypot(own.error, others.error)), both)
            floor = 0.5 / inside.sum()
            found.append((name, others.mean - own.mean, max(error, floor), own.freedom, own.mean))
        if not found:
            yield Lacking(f"{DIAGNOSTIC.name}: no {column} has {FEWEST} rows on enough prompts.")
            continue
        name, value, error, freedom, accuracy = max(found, key=lambda one: one[1] / one[2])
        test = MinimumEffect(value, error, freedom, MATTERS, picked=len(found))
        size = test.estimate(len(right), "prompts")
        named = all(one is not None for one in names.tolist())
        yield Measurement(
            of=column,
            size=size,
            test=test,
            seen=f"What all data teach together is right on {accuracy:.3f} of the pairs of "
            f"{column} {name!r}, {size} less than on the others.",
            remedy={"objective": {"risk": _RISK | {"unit": column}}} if named else {},
            advice="A worse part may also be noisier, which no training mends: compare the votes."
            + ("" if named else f" To train against it (unit: {column}), give every row a name."),
            details={one[0]: {"accuracy": one[4], "less": one[1]} for one in found},
        )


def _jointly(right: Floats, inside: npt.NDArray[np.bool_], prompts: npt.NDArray[np.int64]) -> float:
    """Error of the difference where prompts are in both: of what each row moves it by."""
    moves = np.empty(len(right))
    for rows in (inside, ~inside):
        moves[rows] = (right[rows] - right[rows].mean()) / rows.mean()
    moves[inside] *= -1
    return spread(moves, Dependence.of(prompts, len(prompts)), np.ones(len(prompts))).error


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
