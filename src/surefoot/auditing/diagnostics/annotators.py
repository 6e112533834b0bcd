"""Does somebody vote unlike all others: at random, or the other way round?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.annotators import FEWEST_VOTES, Effect, NamedVotes
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material

#: Someone with seven tenths of the others' skill is still worth paying.
MATTERS = 0.3


def rogue(material: Material) -> Iterator[Measurement | Lacking]:
    """1 - (2 own - 1) / (2 among - 1) of each annotator: own agreement, and that among the others.

    Both are on the same pairs, so someone who was given hard ones is not blamed for it. Of
    annotators with one error rate each it is what they lack of the others' skill
    (:func:`~surefoot.statistics.agreement.beside_others`). The test is Fieller's of a quotient: of
    the linear (1 - matters) (2 among - 1) - (2 own - 1).
    """
    votes = NamedVotes.of(material, 2, DIAGNOSTIC.name)
    if isinstance(votes, Lacking):
        yield votes
        return
    votes = votes.where_others_agree()
    own, among = votes.beside.own, votes.beside.among

    def lack_beside(size: float) -> Effect:
        def lack(rows: Ints) -> tuple[float, Floats, float]:
            scale = votes.mean(among, rows)
            parts = (1 - size) * among[rows] - own[rows]
            return 1 - votes.mean(own, rows) / scale, parts, scale

        return lack

    tests = votes.tests(lack_beside(MATTERS), MATTERS)
    if not tests:
        yield Lacking(f"{DIAGNOSTIC.name}: pairs on which votes agree more than coins do.")
        return
    measured = {
        one: votes.test(rows, lack_beside(tests[one].value), MATTERS, "above")
        for one, rows in votes.judged.items()
    }
    worst = min(tests, key=lambda one: tests[one].p_value)
    test = replace(tests[worst], picked=len(tests))
    rows, name = votes.judged[worst], votes.name(worst)
    size = replace(measured[worst], picked=len(tests)).estimate(len(np.unique(votes.pair)), "votes")
    agreement = [(1 + votes.mean(part, rows)) / 2 for part in (own, among)]
    yield Measurement(
        size=size,
        test=test,
        seen=f"Of {len(tests)} annotators with {FEWEST_VOTES} votes or more, {name} falls behind "
        f"most: agreement of {agreement[0]:.2f} with others, who agree {agreement[1]:.2f} among "
        f"themselves on the same pairs. That lacks {size} of their skill (1: a coin, 2: the "
        "opposite).",
        rows=votes.rows_of(worst, test.value / 2),
        advice=f"Read some pairs of {name}. Leave these votes out where they are careless; keep "
        "them where the person wants something else, and give a column group to train with "
        "unit: group.",
        picture=votes.picture(measured, worst, DIAGNOSTIC.unit),
        details={"annotators": votes.figures(measured, "lack of skill")},
    )


DIAGNOSTIC = Diagnostic(
    name="rogue annotator",
    threat="annotators",
    question="Does somebody vote unlike all others?",
    unit="of the others' skill missing",
    matters=MATTERS,
    reference=1.0,
    null="every annotator lacks at most this much of the skill of the others on the same pairs",
    measure=rogue,
    source="Dawid and Skene (1979), one error rate each, by moments",
)
