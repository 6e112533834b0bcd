"""How far something that is no merit pulls a judge, beyond what it is worth to people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.judges.material import JudgeMaterial
from surefoot.statistics.minimum_effect import MinimumEffect, Sides
from surefoot.statistics.regression import linear


@dataclass(frozen=True)
class Pull:
    """Probability by which a unit of a contrast moves a judge to a response."""

    test: MinimumEffect
    rows: Ints  #: that it was measured on
    judge: float  #: slope of the verdicts
    people: float | None  #: slope of the labels; None where there are none


def pull(
    material: JudgeMaterial,
    contrast: Floats,
    matters: float,
    sides: Sides = "either",
    rows: Ints | None = None,
    is_place: bool = False,
) -> Pull | None:
    """Slope of verdicts in a contrast (N,) of response a less b, beyond people's own.

    Two least squares, each wrong in another way where nothing pulls. Of verdict less label: a judge
    that errs at random is drawn less than people are. Of the verdict, with the label held fixed: a
    judge that knows better than one label is drawn as people are. What both say is beyond doubt, so
    the one that is less sure is taken (an intersection-union test, Berger 1982), and 0 where they
    contradict each other. A place that pulls is held fixed by an intercept.

    Returns:
        None where fewer than 50 rows of 10 prompts have a label and differ in it, or where it goes
        with the place of a response and the judge was asked in one order.
    """
    people = material.people
    rows = material.judged[material.labelled[material.judged]] if rows is None else rows
    x, place = contrast[rows], np.ones(len(rows))
    differs = x != 0
    if not material.enough(rows[differs]):
        return None
    prompts, weights = people.prompts[rows], people.weights[rows]
    verdict, label = material.verdicts[rows] - 0.5, people.labels[rows] - 0.5
    turned = np.isin(rows, material.both).all()  # then the place has no say
    if not (is_place or turned) and np.ptp(x[differs]) == 0 and differs.all():
        return None
    own = x[:, None] if is_place or turned else np.stack([x, place], axis=1)
    beside = np.column_stack([own, label])

    def test(features: Floats, values: Floats) -> MinimumEffect:
        found = linear(features, values, prompts, weights)
        least = 0.5 / len(rows) / max(float(np.abs(x).max()), 1e-300)
        error = max(float(found.errors[0]), least)
        return MinimumEffect(
            float(found.coefficients[0]), error, float(found.freedom[0]), matters, sides
        )

    both = [test(own, verdict - label), test(beside, verdict)]
    least_sure = max(both, key=lambda one: (one.p_value, -abs(one.value) / one.error))
    if both[0].value * both[1].value < 0:
        least_sure = MinimumEffect(0.0, least_sure.error, least_sure.freedom, matters, sides)
    slopes = [float(linear(own, v, prompts, weights).coefficients[0]) for v in (verdict, label)]
    return Pull(least_sure, rows, *slopes)
