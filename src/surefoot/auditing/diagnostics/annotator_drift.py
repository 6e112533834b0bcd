"""Does somebody vote worse, or better, as their queue goes on?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.annotators import NamedVotes
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material

#: As for annotators who are worse from the start.
MATTERS = 0.3


def drift(material: Material) -> Iterator[Measurement | Lacking]:
    """The skill of each annotator in the later half of their votes, less that in the earlier half.

    Skill is own agreement by that of the others among themselves on the same pairs (as of a rogue
    annotator, and tested so), and hard pairs late in a queue count for nothing; nor does what
    happens to all.
    """
    votes = NamedVotes.of(material, 2, DIAGNOSTIC.name)
    if isinstance(votes, Lacking):
        yield votes
        return
    clear = votes.where_others_agree()
    sides = {one: _halves(votes, rows) for one, rows in clear.judged.items()}
    ordered = {one: rows for one, rows in clear.judged.items() if sides[one] is not None}
    if not ordered:
        yield Lacking(f"{DIAGNOSTIC.name}: votes in an order, on pairs on which people agree.")
        return
    votes = replace(votes, judged=ordered)
    own, among, side = votes.beside.own, votes.beside.among, np.zeros(len(votes.who))
    for one, rows in ordered.items():
        side[rows] = sides[one]

    def change(rows: Ints) -> tuple[float, Floats, float]:
        scale = votes.mean(among, rows)
        skill = votes.mean(own, rows) / scale
        parts = side[rows] * (own[rows] - skill * among[rows])
        value = float(np.average(parts, weights=votes.weight[rows])) / scale
        return value, parts - math.copysign(MATTERS, value) * among[rows], scale

    tests = votes.tests(change, MATTERS, "either")
    worst = min(tests, key=lambda one: tests[one].p_value)
    test = replace(tests[worst], picked=len(tests))
    size = test.estimate(len(np.unique(votes.pair)), "votes")
    yield Measurement(
        size=size,
        test=test,
        seen=f"Of {len(tests)} annotators, {votes.name(worst)} changes most from the earlier half "
        f"of a queue to the later one: by {size} of the others' skill on the same pairs.",
        rows=votes.rows_of(worst, abs(test.value)),
        advice=f"Read early and late votes of {votes.name(worst)}, and leave out the worse part: "
        "people tire, or learn the task. Without a column time the order of rows is taken for it.",
        picture=votes.picture(tests, worst, "change of skill, by that of the others"),
        details={"annotators": votes.figures(tests, "change of skill")},
    )


def _halves(votes: NamedVotes, rows: Ints) -> Floats | None:
    """Factors (n,) by which the mean of values is their mean later less that earlier.

    None where a half has none.
    """
    queue, weight = votes.queue[rows], votes.weight[rows]
    early = queue <= np.median(queue)
    early = early if not early.all() else queue < np.median(queue)
    shares = [float(weight[half].sum() / weight.sum()) for half in (early, ~early)]
    if min(shares) <= 0:
        return None
    return np.where(early, -1 / shares[0], 1 / shares[1])


DIAGNOSTIC = Diagnostic(
    name="annotator drift",
    threat="annotators",
    question="Does anybody's skill change over their queue?",
    unit="of the others' skill lost or gained",
    matters=MATTERS,
    reference=1.0,
    null="no annotator loses or gains more skill than this from the earlier half of their queue to "
    "the later one",
    measure=drift,
)
