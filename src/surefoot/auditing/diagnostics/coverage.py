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
#: Prompts of either side that are compared, and of training that distances are compared with; with
#: more, these are drawn.
_MOST, _COMPARED = 20_000, 5_000


def coverage(material: Material) -> Iterator[Measurement | Lacking]:
    """Distance to the nearest training prompt, against that of training prompts to each other."""
    ours, theirs = material.training.weighed(material.weights), material.deployment
    if theirs is None:
        yield Lacking(f"{DIAGNOSTIC.name}: prompts of deployment (--deployment).")
        return
    if min(len(ours), len(theirs)) < FEWEST:
        yield Lacking(
            f"{DIAGNOSTIC.name}: {FEWEST} different prompts of training and of deployment; there "
            f"are {len(ours)} and {len(theirs)}."
        )
        return
    rng = np.random.default_rng(material.seed)
    among, asked = (rng.permutation(len(side))[:_MOST] for side in (ours, theirs))
    vectors = ours.vectors[among]
    own = np.arange(min(len(among), _COMPARED))
    reference = nearest_distances(vectors[own], vectors, own)
    distances = nearest_distances(theirs.vectors[asked], vectors)
    found = share_beyond(reference, distances, _OUTSIDE)
    least = np.sqrt(REFERENCE * (1 - REFERENCE) / len(asked))
    test = MinimumEffect(found.value, max(found.error, float(least)), found.freedom, MATTERS)
    threshold = np.quantile(reference, 1 - _OUTSIDE, method="higher")
    far = np.flatnonzero(distances > threshold)
    far = far[np.argsort(-distances[far], kind="stable")]
    first = [start_of(theirs.texts[i], 60) for i in asked[far[:3]].tolist()]
    drawn = f" (of {len(asked):,} and {len(among):,} that were drawn)"
    capped = max(len(ours), len(theirs)) > _MOST
    size = test.estimate(len(asked), "prompts of deployment")
    yield Measurement(
        size=size,
        test=test,
        seen=f"{len(far) / len(asked):.1%} of the prompts of deployment lie farther from every "
        f"training prompt than {1 - _OUTSIDE:.0%} of these do from each other"
        f"{drawn if capped else ''}: {size} more than alike prompts would."
        + (f" Farthest: {', '.join(map(repr, first))}." if first else ""),
        in_deployment=RowScores(theirs.rows[asked[far]], 1 - threshold / distances[far]),
        advice="Label pairs on these first (label-next.jsonl); until then, a model guesses there.",
        details={"threshold": float(threshold), "far": len(far), "asked": len(asked)},
    )


DIAGNOSTIC = Diagnostic(
    name="coverage",
    threat="generalisation",
    question="Which prompts of deployment have no neighbour in training?",
    unit="of the prompts of deployment, beyond the 5 % that chance gives",
    matters=MATTERS,
    reference=REFERENCE,
    null="at most this share of deployment, beyond 5 %, lies farther out than 95 % of training",
    measure=coverage,
    embeds=True,
    source="Vovk, Gammerman and Shafer (2005), conformal prediction, by nearest neighbours",
)
