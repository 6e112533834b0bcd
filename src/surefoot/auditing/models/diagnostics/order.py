"""Does the model order pairs at all, or the other way round?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.diagnostic import Diagnostic, Each, Lacking, Measurement, RowScores
from surefoot.auditing.models.material import RewardMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import side_of_half, side_of_margins


def wrong(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    """Share of decided pairs that the model puts into the other order; half of what it ties."""
    live = np.flatnonzero((side_of_half(material.labels) != 0) & (material.weights > 0))
    if len(np.unique(material.prompts[live])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: decided pairs of {FEWEST_CLUSTERS} prompts or more.")
        return
    labelled = side_of_half(material.labels[live])
    seen = side_of_margins(material.rewards[live, 0] - material.rewards[live, 1])
    errors = (1 - labelled * seen) / 2
    found = spread(errors, Dependence.of(material.prompts[live], len(live)), material.weights[live])
    test = MinimumEffect(found.mean, found.error, found.freedom, DIAGNOSTIC.matters)
    size = test.estimate(len(live), "prompts")
    sure = np.abs(material.log_odds[live])
    order = np.argsort(-np.where(errors > 0.5, sure, -np.inf), kind="stable")
    order = order[: int((errors > 0.5).sum())]
    yield Measurement(
        size=size,
        test=test,
        seen=f"It orders {1 - found.mean:.3f} of {len(live):,} decided pairs as their labels do, "
        f"and {size} the other way. {_selective(errors, sure, material.weights[live])}",
        rows=RowScores(live[order], 1 / (1 + np.exp(-np.minimum(sure[order], 30)))),
        each=Each(live, np.zeros(len(live), dtype=np.int64), errors),
        advice="Look at how its labels are coded, and whether its score is a loss: negated, it "
        "would order more pairs rightly than it does.",
    )


def _selective(errors: Floats, sure: Floats, weights: Floats) -> str:
    """How right it is where it is surest."""
    order = np.argsort(-sure, kind="stable")
    said = [
        f"{1 - np.average(errors[some], weights=weights[some]):.3f} of the {part}"
        for part, some in (
            ("half", order[: -(-len(order) // 2)]),
            ("tenth", order[: -(-len(order) // 10)]),
        )
    ]
    return f"Of those that it is surest of, {' and '.join(said)}."


DIAGNOSTIC = Diagnostic(
    name="order",
    threat="reward model",
    question="Does it order more pairs wrongly than a coin?",
    unit="of decided pairs ordered the other way",
    matters=0.5,
    reference=0.6,
    null="at most half of the decided pairs are ordered against their labels",
    measure=wrong,
)
