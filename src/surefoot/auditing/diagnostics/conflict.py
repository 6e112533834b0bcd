"""Do two sources, groups or annotators want opposite things?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.auditing.parts import LabelsByPart, labels_by_part
from surefoot.auditing.picture import Cells
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_margins

if TYPE_CHECKING:
    from surefoot.scorers.head import Problem

FEWEST = 200
MOST = 12


def conflict(material: Material) -> Iterator[Measurement | Lacking]:
    """Heads trained on one part and tried on another, prompts apart: below 1/2 they contradict.

    Of each pair of parts that way round counts which is less opposed, so that a part whose labels
    are coins opposes nobody. Ties and rows without a weight are left out.
    """
    asked = False
    for cast in labels_by_part(material, FEWEST, MOST):
        asked = True
        one = _on_enough_prompts(material, cast)
        if len(one.parts) < 2:
            yield Lacking(
                f"{DIAGNOSTIC.name}: two names in {one.column} with {FEWEST} rows each, on "
                f"{FEWEST_CLUSTERS} prompts."
            )
        else:
            yield _tried(material, one)
    if not asked:
        yield Lacking(
            f"{DIAGNOSTIC.name}: a column source or group with two names or more, or named "
            "annotators of votes."
        )


def _on_enough_prompts(material: Material, cast: LabelsByPart) -> LabelsByPart:
    prompts = material.prompts[cast.rows]
    asked = {part: len(np.unique(prompts[cast.names == part])) for part in cast.parts}
    return replace(cast, parts=tuple(p for p in cast.parts if asked[p] >= FEWEST_CLUSTERS))


def _tried(material: Material, cast: LabelsByPart) -> Measurement:
    right, usable, weights = _right(material, cast)
    prompts = material.prompts[cast.rows]
    of_part = [usable & (cast.names == part) for part in cast.parts]

    def below(trained_on: int, tried_on: int) -> tuple[float, float, float]:
        """How far accuracy lies below 1/2, its error, and degrees of freedom."""
        rows = of_part[tried_on]
        return _below(right[rows, trained_on], prompts[rows], weights[rows])

    ways = {
        (j, i): max((below(i, j), below(j, i)), key=lambda way: -way[0] / way[1])
        for i in range(len(cast.parts))
        for j in range(i)
    }
    (i, j), (value, error, freedom) = max(ways.items(), key=lambda item: item[1][0] / item[1][1])
    test = MinimumEffect(value, error, freedom, 0.0, picked=len(ways))
    size = test.estimate(len(material.labels), "prompts")
    accuracy = [
        [
            float(np.average(right[at, k], weights=weights[at])) if at.any() else None
            for at in of_part
        ]
        for k in range(len(cast.parts) + 1)
    ]
    first, second, column = cast.parts[i], cast.parts[j], cast.column
    return Measurement(
        of=column,
        size=size,
        test=test,
        seen=f"What {column} {first!r} and {second!r} teach of each other has, the better way "
        f"round of the two, an accuracy {size} below one half.{_alone(accuracy, cast, i, j)}",
        remedy={"scorer": {"source_aware": True}} if column == "source" else {},
        advice=f"Train one model for each {column}, or one that knows it."
        + ("" if column == "source" else " Given as the column source, scorer.source_aware does."),
        picture=_picture(cast, below),
        details={"parts": list(cast.parts), "accuracy": accuracy[:-1], "pooled": accuracy[-1]},
    )


def _picture(cast: LabelsByPart, below: Callable[[int, int], tuple[float, float, float]]) -> Cells:
    """How right each head is on each part; those below one half have another colour."""

    def cell(trained_on: int, tried_on: int) -> Estimate | None:
        value, error, freedom = below(trained_on, tried_on)
        found = MinimumEffect(0.5 - value, error, freedom, 0.0)
        return found.estimate(len(cast.labels), "prompts") if error < 1 else None

    columns = range(len(cast.parts))
    return Cells(
        rows=[*cast.parts, "all together"],
        columns=list(cast.parts),
        cells=[[cell(i, j) for j in columns] for i in range(len(cast.parts) + 1)],
        row_title=f"{cast.column} learnt from",
        column_title=f"how right it is on {cast.column}",
        reach=0.2,
    )


def _alone(accuracy: list[list[float | None]], cast: LabelsByPart, i: int, j: int) -> str:
    """What the parts reach by themselves, and together."""
    own, pooled = (accuracy[i][i], accuracy[j][j]), (accuracy[-1][i], accuracy[-1][j])
    if None in own or None in pooled:
        return ""
    return (
        f" By heads of their own {cast.parts[i]!r} is predicted right in {own[0]:.3f} and "
        f"{cast.parts[j]!r} in {own[1]:.3f} of the pairs; by one head of all in {pooled[0]:.3f} "
        f"and {pooled[1]:.3f}."
    )


def _right(material: Material, cast: LabelsByPart) -> tuple[Floats, Bools, Floats]:
    """Whether heads of each part and of all are right (V, S + 1), of which labels, and weights."""
    import torch

    from surefoot.scorers.fit.conflict import held_out_margins

    problem, half = _problem(material, cast), material.folds(2)[cast.rows]
    members = np.stack([cast.names == part for part in cast.parts], axis=1)
    margins = held_out_margins(problem, members, torch.from_numpy(half))
    weights = problem.mass[:, 0].numpy()
    usable = (weights > 0) & (cast.labels != 0.5)
    return credit(side_of_margins(margins), cast.labels[:, None]), usable, weights


def _problem(material: Material, cast: LabelsByPart) -> Problem:
    problem = material.problem.plain()
    if cast.whole:
        return problem
    import torch

    from surefoot.objectives import Evidence

    rows = torch.from_numpy(cast.rows)
    return replace(
        problem,
        features=problem.features[rows],
        evidence=Evidence(torch.from_numpy(cast.labels)),
        mass=problem.mass[rows],
        context=None,
        shared={},
    )


def _below(right: Floats, prompts: Ints, weights: Floats) -> tuple[float, float, float]:
    if len(np.unique(prompts)) < FEWEST_CLUSTERS:
        return 0.0, 1.0, 1.0
    found = spread(right, Dependence.of(prompts, len(prompts)), weights)
    return 0.5 - found.mean, max(found.error, 0.5 / len(prompts)), found.freedom


DIAGNOSTIC = Diagnostic(
    name="conflict",
    threat="conflict",
    question="Do two parts of the data, or two annotators, want opposite things?",
    unit="accuracy below one half of what one part teaches of another",
    matters=0.0,
    reference=0.05,
    null="what one part teaches of another is at least as good as a coin",
    measure=conflict,
    embeds=True,
)
