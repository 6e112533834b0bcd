"""Does somebody take the first response, or the second, whatever they say?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.annotators import FEWEST_VOTES, NamedVotes
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material

#: One vote in ten that goes to a side is near what people do who read (on llmfao .03).
MATTERS = 0.1


def slot_preference(material: Material) -> Iterator[Measurement | Lacking]:
    """Mean of an annotator's votes (1: the first response) less the others' on the same pairs.

    The others saw the same pairs, so it does not matter how sides were drawn; where the first
    response is the one that the first vote is for, there are no sides.
    """
    if len(material.votes.pair) and not material.placed.any():
        yield Lacking(
            f"{DIAGNOSTIC.name}: votes for the first or the second response (not for the chosen "
            "one, which is named first)."
        )
        return
    votes = NamedVotes.of(material, 1, DIAGNOSTIC.name, placed=True)
    if isinstance(votes, Lacking):
        yield votes
        return
    more = votes.value - votes.beside.mean

    def beyond(rows: Ints) -> tuple[float, Floats, float]:
        return votes.mean(more, rows), more[rows], 1.0

    tests = votes.tests(beyond, MATTERS, "either")
    worst = min(tests, key=lambda one: tests[one].p_value)
    test = replace(tests[worst], picked=len(tests))
    rows, name = votes.judged[worst], votes.name(worst)
    size = test.estimate(len(np.unique(votes.pair)), "votes")
    shares = [votes.mean(part, rows) for part in (votes.value, votes.beside.mean)]
    every = votes.mean(votes.value, np.arange(len(votes.value)))
    yield Measurement(
        size=size,
        test=test,
        seen=f"Of {len(tests)} annotators with {FEWEST_VOTES} votes or more, {name} differs most "
        f"in which side wins: the first response in {shares[0]:.2f} of the votes, by others on the "
        f"same pairs in {shares[1]:.2f}, a difference of {size}. All votes: {every:.2f}.",
        rows=votes.rows_of(worst, abs(test.value) * 2),
        advice="If the first response is the one that was shown first, leave out the votes of "
        f"whoever takes a side without reading, {name} first, and show sides in random order.",
        picture=votes.picture(tests, worst, "more of the votes for the first response"),
        details={"annotators": votes.figures(tests, "more for the first"), "all": every},
    )


DIAGNOSTIC = Diagnostic(
    name="slot preference",
    threat="annotators",
    question="Does somebody take the response of one side, whatever it says?",
    unit="of the votes moved to one side",
    matters=MATTERS,
    reference=0.35,
    null="every annotator takes either side at most this much more often than others do on the "
    "same pairs",
    measure=slot_preference,
)
