"""Does somebody vote unlike all others: at random, or the other way round?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Floats, Ints
from surefoot.audit.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.audit.material import Material, Votes
from surefoot.audit.picture import Dots
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, Spread, spread
from surefoot.statistics.minimum_effect import MinimumEffect

MATTERS = 0.1
#: Decided votes of an annotator on pairs that others voted on, to be judged.
FEWEST = 30
#: Annotators in the picture, those who agree least.
SHOWN = 24


def rogue(material: Material) -> Iterator[Measurement | Lacking]:
    """Each annotator's agreement with others on the same pairs, against that of all others."""
    votes = material.votes
    agreement, who, pair = agreements(votes)
    _, prompt = np.unique(material.prompts[pair], return_inverse=True)
    counts = np.bincount(who, minlength=len(votes.names))
    asked = np.bincount(np.unique(np.stack([who, prompt]), axis=1)[0], minlength=len(votes.names))
    judged = np.flatnonzero((counts >= FEWEST) & (asked >= FEWEST_CLUSTERS))
    if len(judged) < 3:
        yield Lacking(
            f"{DIAGNOSTIC.name}: three annotators or more (--column annotator=...) with {FEWEST} "
            f"votes each on pairs of {FEWEST_CLUSTERS} prompts that others voted on, too."
        )
        return
    shortfall, error, freedom = _shortfalls(agreement, who, prompt, judged)
    worst = int(np.argmax((shortfall - MATTERS) / error))
    name, value = repr(votes.names[judged[worst]]), float(shortfall[worst])
    test = MinimumEffect(
        value, float(error[worst]), float(freedom[worst]), MATTERS, picked=len(judged)
    )
    size = test.estimate(len(np.unique(pair)), "votes")
    rows = np.unique(pair[who == judged[worst]])
    own = float(agreement[who == judged[worst]].mean())
    yield Measurement(
        size=size,
        test=test,
        seen=f"Of {len(judged)} annotators with {FEWEST} votes or more, {name} agrees least with "
        f"whoever voted on the same pairs: {own:.2f}, which is {size} less than all others do.",
        rows=RowScores(rows, np.full(len(rows), float(np.clip(value * 2, 0, 1)))),
        advice=f"Read some pairs of {name}: they may be harder ones, on which people agree less. "
        "Leave these votes out where they are careless; keep them where the person wants something "
        "else, and give a column group to train with unit: group.",
        picture=_picture(shortfall, error, freedom, [votes.names[j] for j in judged]),
        details={
            "annotators": {
                votes.names[j]: {"votes": int(counts[j]), "less agreement": float(s)}
                for j, s in zip(judged, shortfall, strict=True)
            }
        },
    )


def _picture(shortfall: Floats, error: Floats, freedom: Floats, names: list[str]) -> Dots:
    """The annotators who agree least, the one in question picked out."""
    order = np.argsort(-(shortfall - MATTERS) / error)[:SHOWN].tolist()
    sizes = [
        MinimumEffect(value, wide, free, MATTERS).estimate(FEWEST, "votes")
        for value, wide, free in np.stack([shortfall, error, freedom], axis=1)[order].tolist()
    ]
    shown = [names[j] for j in order]
    return Dots(shown, {"annotator": sizes}, DIAGNOSTIC.unit, (None, MATTERS), shown[:1])


def agreements(
    votes: Votes,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each decided vote, the share of others' decided votes on its pair that agree with it.

    Returns:
        shares (M,), annotators (M,) and pairs (M,); votes without another on their pair, or by
        nobody named, are left out.
    """
    decided = (votes.value != 0.5) & (votes.annotator >= 0)
    pair, who, value = votes.pair[decided], votes.annotator[decided], votes.value[decided] > 0.5
    count = int(pair.max(initial=-1)) + 1
    first, every = np.bincount(pair[value], minlength=count), np.bincount(pair, minlength=count)
    others = every[pair] - 1
    alike = np.where(value, first[pair], every[pair] - first[pair]) - 1
    kept = others > 0
    return alike[kept] / others[kept], who[kept], pair[kept]


def _shortfalls(agreement: Floats, who: Ints, prompt: Ints, judged: Ints) -> tuple[Floats, ...]:
    """How much less each agrees than the others do, its error, and degrees of freedom."""

    def of(rows: npt.NDArray[np.bool_] | slice) -> Spread:
        values, ids = agreement[rows], prompt[rows]
        return spread(values, Dependence.of(ids, len(ids)), np.ones(len(ids)))

    total, everyone, found = len(agreement), of(slice(None)), []
    for annotator in judged.tolist():
        mine = who == annotator
        n, own = int(mine.sum()), of(mine)
        rest = (total * everyone.mean - n * own.mean) / (total - n)
        error = np.hypot(own.error, everyone.error * np.sqrt(total / (total - n)))
        floor = 0.5 / n  # of equal values, which are no certainty
        found.append((rest - own.mean, max(float(error), floor), max(own.freedom, 1.0)))
    return tuple(np.array(found).T)


DIAGNOSTIC = Diagnostic(
    name="rogue annotator",
    threat="annotators",
    question="Does somebody vote unlike all others?",
    unit="less agreement with others",
    matters=MATTERS,
    reference=0.25,
    null="every annotator's agreement with others is at most this much below that of the others",
    measure=rogue,
)
