"""Which prompts of deployment have no neighbour among those of training?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement, RowScores
from surefoot.auditing.material import Material
from surefoot.data.text import start_of
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.novelty import nearest_distances, share_beyond

#: A model that is wrong on all of what is far out loses no more accuracy than this.
MATTERS = 0.05
REFERENCE = 0.2
#: Distinct prompts of either side: with fewer, distances among those of training say too little.
FEWEST = 100
#: Share of the training prompts that counts as far from the others.
_OUTSIDE = 0.05


def coverage(material: Material) -> Iterator[Measurement | Lacking]:
    """Distance to the nearest training prompt, against that of training prompts to each other.

    To others outside the own clump, that is: paraphrases and branches of a dialogue are near each
    other, and no prompt of deployment has its paraphrases in training.
    """
    sides = material.sides
    if sides is None:
        yield Lacking(f"{DIAGNOSTIC.name}: prompts of deployment (--deployment).")
        return
    if lacking := sides.lacking(FEWEST):
        yield Lacking(f"{DIAGNOSTIC.name}: {lacking}")
        return
    vectors, clumps = sides.training.vectors, sides.clumps
    reference = nearest_distances(vectors, vectors, (clumps[0], clumps[0]))
    distances, theirs = sides.distances, sides.deployment
    found = share_beyond(reference, distances, _OUTSIDE, clumps, REFERENCE)
    test = MinimumEffect(found.value, found.error, found.freedom, MATTERS)
    threshold = np.quantile(reference, 1 - _OUTSIDE, method="higher")
    far = np.flatnonzero(distances > threshold)
    far = far[np.argsort(-distances[far], kind="stable")]
    first = [start_of(theirs.texts[i], 60) for i in far[:3].tolist()]
    n, grows = sides.to_grow(found)
    size = test.estimate(n, "prompts")
    yield Measurement(
        size=size,
        test=test,
        seen=f"{len(far) / len(theirs):.1%} of the prompts of deployment lie farther from every "
        f"training prompt than {1 - _OUTSIDE:.0%} of these do from others that are not nearly the "
        f"same{sides.seen}: {size} more than alike prompts would."
        + (f" Farthest: {', '.join(map(repr, first))}." if first else ""),
        in_deployment=RowScores(theirs.rows[far], 1 - threshold / distances[far]),
        advice="Label pairs on these first (label-next.jsonl); until then, a model guesses there.",
        grows=grows,
        details={"threshold": float(threshold), "far": len(far), "asked": len(theirs)},
    )


DIAGNOSTIC = Diagnostic(
    name="coverage",
    threat="generalisation",
    question="Which prompts of deployment have no neighbour in training?",
    unit="of the prompts of deployment, beyond the 5 % that chance gives",
    matters=MATTERS,
    reference=REFERENCE,
    null="at most this share of deployment, beyond 5 %, lies farther out than 95 % of training, "
    "each prompt compared with those that are not nearly the same",
    measure=coverage,
    embeds=True,
    source="Vovk, Gammerman and Shafer (2005), conformal prediction, by nearest neighbours",
)
