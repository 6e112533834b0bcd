"""Does deployment ask for other things than training: are its prompts of other kinds?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster import vq

from surefoot.arrays import Bools, Floats, Ints
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.embedded_prompts import EmbeddedPrompts
from surefoot.auditing.kinds import kinds_of
from surefoot.auditing.material import Material
from surefoot.auditing.picture import Dots
from surefoot.auditing.two_sides import TwoSides
from surefoot.statistics import mean
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.novelty import moved_share
from surefoot.statistics.shift import DISTANCES, OneLaw, Shift, one_law, shift

#: A model that is wrong on all of what is new loses no more accuracy than this.
MATTERS = 0.05
REFERENCE = 0.2
#: Distinct prompts of either side below which shares of kinds say next to nothing.
FEWEST = 50
#: Share of the clumps of prompts that choose which kinds are counted; the others count.
_CHOOSE = 0.25


def novelty(material: Material) -> Iterator[Measurement | Lacking]:
    """Total variation between the two sides' shares of kinds of prompts, from below.

    Kinds are clusters of the prompts of both sides together: those of one side hold too much of it.
    """
    sides = material.sides
    if sides is None:
        yield Lacking(f"{DIAGNOSTIC.name}: prompts of deployment (--deployment).")
        return
    if lacking := sides.lacking(FEWEST):
        yield Lacking(f"{DIAGNOSTIC.name}: {lacking}")
        return
    ours, theirs = sides.training, sides.deployment
    texts, vectors = (*ours.texts, *theirs.texts), np.concatenate([ours.vectors, theirs.vectors])
    kind, names = kinds_of(texts, vectors, material.clusters, material.seed)
    before, after = kind[: len(ours)], kind[len(ours) :]
    choosing = _choosing(sides, material.seed)
    found, more = moved_share(before, after, len(names), choosing, sides.clumps, REFERENCE)
    test = MinimumEffect(found.value, found.error, found.freedom, MATTERS)
    p, q = (np.bincount(side, minlength=len(names)) / len(side) for side in (before, after))
    most = int(np.argmax(q - p))
    rows = np.flatnonzero(more[after])
    excess = np.clip(1 - p[after] / q[after], 0, 1)
    rows = rows[np.argsort(-excess[rows], kind="stable")]
    risks = _risks(material, ours, theirs)
    law = _one_law(sides, before, after, len(names), material.seed)
    n, grows = sides.to_grow(found)
    size = test.estimate(n, "prompts")
    yield Measurement(
        size=size,
        test=test,
        seen=f"Of the prompts of deployment{sides.seen}, {size} are more than training has of "
        f"their kind, of {len(names)} kinds. Kind {names[most]!r} most: {p[most]:.1%} of training, "
        f"{q[most]:.1%} of deployment.",
        in_deployment=RowScores(theirs.rows[rows], excess[rows]),
        remedy={"objective": {"risk": risks[0]}} if risks else {},
        advice="Label pairs on such prompts (label-next.jsonl). A risk over clusters prepares for "
        "what training has too little of, not for what it lacks.",
        picture=_picture(before, after, names, more),
        grows=grows,
        details={
            "apart": law.apart,
            "apart_by_chance": law.by_chance,
            "p_value_of_one_law": law.p_value,
            "risks": risks,
        },
    )


def _picture(before: Ints, after: Ints, names: list[str], more: Bools) -> Dots:
    """Shares of both sides by kind, those of which deployment has more first."""
    sides = {"training": before, "deployment": after}
    p, q = (np.bincount(side, minlength=len(names)) / len(side) for side in sides.values())
    order = np.argsort(p - q, kind="stable").tolist()
    shares = {
        name: [mean(side == kind, covers="prompts") for kind in order]
        for name, side in sides.items()
    }
    picked = [names[kind] for kind in order if more[kind]]
    return Dots([names[kind] for kind in order], shares, "share of prompts", (None, None), picked)


def _choosing(sides: TwoSides, seed: int) -> tuple[Bools, Bools]:
    """Which prompts of either side choose the kinds that are counted: those of some clumps."""
    own, theirs = sides.clumps
    count = int(max(own.max(), theirs.max())) + 1
    chooses = np.random.default_rng(seed).permutation(count) < _CHOOSE * count
    return chooses[own], chooses[theirs]


def _one_law(sides: TwoSides, before: Ints, after: Ints, kinds: int, seed: int) -> OneLaw:
    """Whether both can be of one law, by one prompt of each clump; clumps of both stay in both."""
    (own, first), (theirs, other) = (np.unique(side, return_index=True) for side in sides.clumps)
    shared, theirs_too = np.isin(own, theirs), np.isin(theirs, own)
    before, after = before[first], after[other]
    return one_law(before[~shared], after[~theirs_too], kinds, seed, before[shared])


def _risks(
    material: Material, ours: EmbeddedPrompts, theirs: EmbeddedPrompts
) -> list[dict[str, Any]]:
    """Risks whose ball holds the shares of deployment, by the clusters of a run on these pairs.

    For runs with the default encoder and this `data.split_seed`: others make other clusters.
    """
    given = ours.of_rows >= 0
    pairs = np.bincount(ours.of_rows[given], material.weights[given], len(ours))
    found = _shift(material.centroids, ours.vectors, theirs.vectors, pairs, material.seed)
    options: list[dict[str, Any]] = []
    for kind in ("chi-squared", *DISTANCES):  # docs/risks.md recommends the first
        safe = DISTANCES[kind].safe(found.distances[kind])
        one = {"kind": kind, DISTANCES[kind].option: safe}
        if safe is not None and one["kind"] not in {other["kind"] for other in options}:
            options.append(one | {"unit": "cluster", "clusters": material.clusters})
    return options


def _shift(
    centroids: Floats, before: Floats, after: Floats, pairs: npt.ArrayLike, seed: int
) -> Shift:
    first, second = (vq.vq(side, centroids)[0] for side in (before, after))
    return shift(first, second, len(centroids), seed, pairs=pairs)


DIAGNOSTIC = Diagnostic(
    name="novelty",
    threat="generalisation",
    question="Does deployment ask for other kinds of things than training?",
    unit="of the prompts of deployment",
    matters=MATTERS,
    reference=REFERENCE,
    null="at most this share of deployment would have to be of other kinds to be like training",
    measure=novelty,
    embeds=True,
    source="total variation from below: sup over sets of kinds of Q(A) - P(A), sample split",
)
