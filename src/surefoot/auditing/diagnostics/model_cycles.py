"""Do the models that wrote the responses beat each other in circles, over all prompts?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.diagnostics.cycles import MATTERS, REFERENCE, JudgedPairs, ballots
from surefoot.auditing.material import Material
from surefoot.statistics.cycles import triads
from surefoot.statistics.minimum_effect import MinimumEffect

#: Votes on each pair of models.
FEWEST = 10
#: Triads beyond this are left out at random.
MOST = 300
#: Parts that are left out by turns, for the error (delete-a-group jackknife).
_GROUPS = 20


def model_cycles(material: Material) -> Iterator[Measurement | Lacking]:
    """Votes that go round in triads of models, less what a number for each model gives.

    One vote of each prompt counts: a model may be good at one and bad at another, so votes on one
    prompt go together, and votes on two do not.
    """
    rows, numbers = _once(material)
    first, votes = ballots(material)
    drawn = np.random.default_rng(1)
    won = (drawn.random(len(rows)) * votes[rows] < first[rows]).astype(np.int64)
    group = drawn.permutation(len(rows)) % _GROUPS
    every = _counted(numbers, won, np.ones(len(rows), dtype=np.int64))
    often = np.flatnonzero(every.votes >= FEWEST)
    edges = often[triads(every.ends[often], MOST)[0]]  # (T, 3)
    sides = every.ends[edges]  # (T, 3, 2)
    if not len(sides):
        yield Lacking(
            f"{DIAGNOSTIC.name}: three models (columns model_a and model_b), each two compared on "
            f"{FEWEST} prompts or more."
        )
        return
    seen, expected = _circles(every, sides)
    value = seen - expected
    without = []
    for k in range(_GROUPS):
        part = _circles(_counted(numbers, won, (group != k).astype(np.int64)), sides)
        without.append(part[0] - part[1])
    error = float(np.sqrt((_GROUPS - 1) * np.var(without)))
    error = max(error, _error_at(REFERENCE, edges, every.votes))
    test = MinimumEffect(value, error, _GROUPS - 1.0, MATTERS)
    size = test.estimate(len(rows), "prompts")
    yield Measurement(
        size=size,
        test=test,
        seen=f"Of three models compared two by two over {len(rows):,} prompts, single votes go "
        f"round in a circle in {seen:.3f} of {len(sides):,} triads, where a number for each model "
        f"gives {expected:.3f}: {size} more.",
        advice="No ranking of the models says who beats whom: compare them two by two.",
        details={"triads": len(sides), "circular": seen, "expected": expected},
    )


def _once(material: Material) -> tuple[Ints, Ints]:
    """One row (R,) of each prompt on which two models were compared, and their numbers (R, 2)."""
    said = np.array([None not in pair for pair in material.authors.tolist()], dtype=bool)
    judged = (ballots(material)[1] > 0) & (material.weights > 0)
    rows = np.flatnonzero(said & judged)
    names = material.authors[rows].astype(str)
    rows, names = rows[names[:, 0] != names[:, 1]], names[names[:, 0] != names[:, 1]]
    drawn = np.random.default_rng(0).permutation(len(rows))
    kept = drawn[np.unique(material.prompts[rows[drawn]], return_index=True)[1]]
    numbers = np.unique(names, return_inverse=True)[1].reshape(names.shape)
    return rows[kept], numbers[kept].astype(np.int64)


def _counted(numbers: Ints, won: Ints, votes: Ints) -> JudgedPairs:
    """Votes (R,) between models (R, 2); the ends of the pairs are the models' numbers."""
    return JudgedPairs.of(numbers, won * votes, votes, np.ones(len(votes)))


def _circles(found: JudgedPairs, sides: Ints) -> tuple[float, float]:
    """Mean shares of triads (T, 3, 2) that go round, seen and expected."""
    place = {tuple(pair): e for e, pair in enumerate(found.ends.tolist())}
    known = [[place.get(tuple(pair), -1) for pair in three] for three in sides.tolist()]
    positions = np.array(known, dtype=np.int64)
    seen, expected = found.circles(positions[(positions >= 0).all(1)])
    return (float(seen.mean()), float(expected.mean())) if len(seen) else (0.0, 0.0)


def _error_at(more: float, edges: Ints, votes: Ints) -> float:
    """The error if so much more went round in triads (T, 3) of pairs with votes (E,).

    Between equals votes hardly move what goes round, so their own error is no measure of the power:
    where each wins with chance 1/2 + d it is 1/4 + 3 d^2, and a pair's chance moves it by 2 d.
    """
    shares = np.bincount(edges.ravel(), minlength=len(votes)) / len(edges)
    return float(np.sqrt(more / 3 * (shares**2 / np.maximum(votes, 1)).sum()))


DIAGNOSTIC = Diagnostic(
    name="model cycles",
    threat="misspecification",
    question="Do the models that wrote the responses beat each other in circles?",
    unit="more triads of models whose votes go round",
    matters=MATTERS,
    reference=REFERENCE,
    null="over prompts, in triads of models at most this much more goes round than where a number "
    "for each says who wins",
    measure=model_cycles,
    source="Bradley and Terry (1952)",
)
