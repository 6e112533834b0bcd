"""Is a source or group served worse by what all data teach together?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material, Names
from surefoot.auditing.parts import parts_of
from surefoot.auditing.picture import Dots
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_half, side_of_margins

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
    decided = np.where(side_of_half(material.labels) != 0, material.weights, 0.0)
    for column, names in material.groupings.items():
        found = list(parts_served(decided, material.prompts, right, names))
        if not found:
            yield Lacking(f"{DIAGNOSTIC.name}: no {column} has {FEWEST} rows on enough prompts.")
            continue
        worst = max(found, key=lambda one: (one.less - MATTERS) / one.error)
        test = MinimumEffect(worst.less, worst.error, worst.freedom, MATTERS, picked=len(found))
        size = test.estimate(len(right), "prompts")
        named = all(one is not None for one in names.tolist())
        yield Measurement(
            of=column,
            size=size,
            test=test,
            seen=f"What all data teach together is right on {worst.accuracy:.3f} of the pairs of "
            f"{column} {worst.name!r}, {size} less than on the others.",
            remedy={"objective": {"risk": _RISK | {"unit": column}}} if named else {},
            advice="A worse part may also be noisier, which no training mends: compare the votes."
            + ("" if named else f" To train against it (unit: {column}), give every row a name."),
            picture=_picture(found, worst),
            details={one.name: {"accuracy": one.accuracy, "less": one.less} for one in found},
        )


class ServedPart(NamedTuple):
    """A part against all others."""

    name: str
    accuracy: float
    less: float  #: accuracy than on the others
    error: float  #: of that
    freedom: float  #: degrees of freedom of the error
    rows: int


def parts_served(
    weights: Floats, prompts: Ints, right: Floats, names: Names
) -> Iterator[ServedPart]:
    """Every named part with enough rows and prompts that have a weight, each array (N,)."""
    names = names.copy()
    names[weights == 0] = None
    for name in parts_of(names, FEWEST):
        inside = names == name
        sides = [inside, ~inside & (weights > 0)]
        if min(len(np.unique(prompts[rows])) for rows in sides) < FEWEST_CLUSTERS:
            continue
        own, others = (
            spread(right[rows], Dependence.of(prompts[rows], int(rows.sum())), weights[rows])
            for rows in sides
        )
        # Where prompts are in both, the error of the difference is of what each row moves it by.
        moves = np.zeros(len(right))
        for rows, one, sign in zip(sides, (own, others), (-1, 1), strict=True):
            moves[rows] = sign * (right[rows] - one.mean) * len(right) / weights[rows].sum()
        jointly = spread(weights * moves, Dependence.of(prompts, len(right)), np.ones(len(right)))
        rows = int(inside.sum())
        error = max(float(np.hypot(own.error, others.error)), jointly.error, 0.5 / rows)
        freedom = min(own.freedom, others.freedom)
        yield ServedPart(name, own.mean, others.mean - own.mean, error, freedom, rows)


def _picture(found: list[ServedPart], worst: ServedPart) -> Dots:
    """How much less accuracy each part has, with intervals that allow for the choice."""
    tests = [
        MinimumEffect(one.less, one.error, one.freedom, MATTERS, picked=len(found)) for one in found
    ]
    sizes = [test.estimate(one.rows, "prompts") for test, one in zip(tests, found, strict=True)]
    names = [one.name for one in found]
    return Dots(names, {"less accuracy": sizes}, DIAGNOSTIC.unit, (None, MATTERS), [worst.name])


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
