"""How much worse is a model on topics of which it has seen nothing?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from surefoot.arrays import Floats, Ints
from surefoot.auditing.blind import decided
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.kinds import kinds_of
from surefoot.auditing.material import Material, validated
from surefoot.auditing.picture import Dots
from surefoot.statistics import mean
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.estimate import written
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import credit, side_of_margins

#: Accuracy that another seed of a fit may cost.
MATTERS = 0.03
FEWEST = 200
#: Topics of the prompts, and folds of them: as many as of prompts, so that as much is trained on.
TOPICS, FOLDS = 12, 5
#: A topic with a larger share of the rows leaves too little to train on where it is left out.
_LARGEST = 0.3
_SHOWN = 12


def unseen_topics(material: Material) -> Iterator[Measurement | Lacking]:
    """Accuracy with prompts left out, less that with all topics of a fold left out; paired."""
    if decided(material, np.arange(len(material.labels))) < FEWEST:
        yield Lacking(f"{DIAGNOSTIC.name}: {FEWEST} rows that are no ties.")
        return
    prompts, weights = material.training, material.weights
    kind, names = kinds_of(prompts.texts, prompts.vectors, TOPICS, material.seed)
    topic = kind[prompts.of_rows]
    sizes = np.bincount(topic, weights, len(names)).astype(np.float64)
    if (sizes > 0).sum() < FEWEST_CLUSTERS or sizes.max() > _LARGEST * sizes.sum():
        yield Lacking(
            f"{DIAGNOSTIC.name}: prompts of {FEWEST_CLUSTERS} topics or more, none of which holds "
            f"{_LARGEST:.0%} of the rows."
        )
        return
    centres = [prompts.vectors[kind == k].mean(axis=0) for k in range(len(names))]
    fold = _neighbours(np.stack(centres), sizes)
    seen, unseen = (
        credit(side_of_margins(margins), material.labels)
        for margins in (
            material.margins,
            np.asarray(validated(material.problem, fold[topic]).margins, dtype=np.float64),
        )
    )
    # A head that saw nothing of a topic is wrong on its rows together: topics are what is drawn.
    found = spread(seen - unseen, Dependence.of(topic, len(topic)), weights)
    error = max(found.error, 0.5 / len(topic))
    test = MinimumEffect(found.mean, error, found.freedom, MATTERS)
    accuracy = [float(weights @ right / weights.sum()) for right in (seen, unseen)]
    size = test.estimate(len(topic), "topics of prompts")
    yield Measurement(
        size=size,
        test=test,
        seen=f"On new prompts of topics that it has seen a model is right on "
        f"{written(accuracy[0])} of pairs, of topics that it has not on {written(accuracy[1])}: "
        f"{size} less.",
        advice="What is preferred depends on the topic: label some pairs of every topic that will "
        "be asked for rather than more of these (--deployment says which are missing).",
        picture=_picture(material, seen, unseen, topic, names),
        details={"seen": accuracy[0], "unseen": accuracy[1], "topics": len(names)},
    )


def _neighbours(centres: Floats, sizes: Floats) -> Ints:
    """Folds (K,) of topics, near ones in one, of about the same size: by centres (K, D) and sizes.

    Where a topic's neighbour stays in training, so do prompts that are on the edge of both.
    """
    apart = cdist(centres, centres)
    left = np.argsort(-sizes, kind="stable").tolist()
    fold = np.full(len(sizes), FOLDS - 1)
    for number in range(FOLDS - 1):
        share = sizes[left].sum() / (FOLDS - number)
        members = [left.pop(0)] if left else []
        while left:
            nearest = min(left, key=lambda k: apart[k, members].min())
            if sizes[[*members, nearest]].sum() > share + sizes[nearest] / 2:
                break
            left.remove(nearest)
            members.append(nearest)
        fold[members] = number
    return fold


def _picture(
    material: Material, seen: Floats, unseen: Floats, topic: Ints, names: list[str]
) -> Dots:
    """Accuracy both ways by topic that has a weight, where most is lost first."""
    sizes = np.bincount(topic, material.weights, len(names))
    lost = np.bincount(topic, material.weights * (seen - unseen), len(names))
    order = np.argsort(-lost / np.where(sizes > 0, sizes, 1.0), kind="stable")
    shown = order[sizes[order] > 0][:_SHOWN].tolist()
    members = [np.flatnonzero((topic == k) & (material.weights > 0)) for k in shown]
    series = {
        name: [
            mean(right[at], material.prompts[at], material.weights[at], covers="prompts")
            for at in members
        ]
        for name, right in (("topic seen", seen), ("topic not seen", unseen))
    }
    return Dots([names[k] for k in shown], series, "accuracy", (None, None))


DIAGNOSTIC = Diagnostic(
    name="unseen topics",
    threat="generalisation",
    question="How much worse is a model on topics that it has not seen?",
    unit="less accuracy than on topics that were seen",
    matters=MATTERS,
    reference=0.1,
    null="topics that were left out of training are predicted at most this much worse",
    measure=unseen_topics,
    embeds=True,
)
