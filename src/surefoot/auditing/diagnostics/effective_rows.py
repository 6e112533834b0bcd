"""To how many independent rows of equal weight do these amount?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.estimate import Estimate

_DRAWS, _LEVEL = 200, 0.95


def effective_rows(material: Material) -> Iterator[Measurement | Lacking]:
    """Rows by weights, (sum w)^2 / sum w^2, over the design effect of rows that share a prompt.

    That is sum_p (sum_i w e)^2 / sum_i (w e)^2, where e is what the label of a row is above its
    probability out of fold.
    """
    weights = material.weights
    given = np.flatnonzero(weights > 0)
    w = weights[given]
    _, prompt, counts = np.unique(material.prompts[given], return_inverse=True, return_counts=True)
    if len(counts) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    if counts.max() == 1 and np.ptp(weights) == 0:
        yield Lacking(f"{DIAGNOSTIC.name}: weights that differ or prompts with several rows.")
        return
    rest = w * (material.labels[given] - expit(material.margins[given]))
    together = np.bincount(prompt, rest) ** 2
    alone = np.bincount(prompt, rest**2)
    by_weight = float(w.sum() ** 2 / np.square(w).sum())
    per_prompt = np.bincount(prompt, w)
    fewest = float(per_prompt.sum() ** 2 / np.square(per_prompt).sum())
    times = np.random.default_rng(material.seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), _DRAWS
    )
    # Rows of a prompt say between nothing new and all they could, whatever chance makes of it.
    shared = np.append(times @ together, together.sum())
    ratio = np.append(times @ alone, alone.sum()) / np.maximum(shared, 1e-300)
    *drawn, estimate = np.clip(by_weight * ratio, fewest, by_weight).tolist()
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
    n = len(weights)
    lost = Estimate(
        1 - estimate / n,
        1 - max(high, estimate) / n,
        1 - min(low, estimate) / n,
        n,
        "prompts",
        within=(0.0, 1.0),
    )
    yield Measurement(
        size=lost,
        test=None,
        seen=f"{n:,} rows amount to some {estimate:,.0f} [{min(low, estimate):,.0f}, "
        f"{max(high, estimate):,.0f}] independent ones of equal weight: {by_weight:,.0f} by their "
        f"weights, on {len(counts):,} prompts.",
        advice="Where many rows are lost, pairs on new prompts bring more than further ones on "
        "these.",
        assumption="rows of a prompt share as much of what they teach as of what a model misses",
        details={"effective": estimate, "by weight": by_weight, "prompts": len(counts)},
    )


DIAGNOSTIC = Diagnostic(
    name="effective rows",
    threat="sparse feedback",
    question="To how many independent rows do these amount?",
    unit="of the rows lost to unequal weights and shared prompts",
    matters=0.25,
    reference=0.5,
    null="at most this share of the rows adds nothing",
    measure=effective_rows,
    embeds=True,
    source="Kish (Survey Sampling, 1965), effective sample size and design effect",
)
