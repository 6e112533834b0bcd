"""How many pairs does a model hold for coins, and what do they bring?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.material import Material
from surefoot.auditing.refits import right_on_parts
from surefoot.statistics import mean
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence, spread
from surefoot.statistics.estimate import written
from surefoot.statistics.minimum_effect import MinimumEffect

#: A pair is a near tie where the model's probability is this close to 1/2.
CLOSE = 0.1


def near_ties(material: Material) -> Iterator[Measurement | Lacking]:
    """Pairs with |P - 1/2| < .1 out of fold, and accuracy with training on all but these."""
    weights, prompts = material.weights, material.prompts
    if len(np.unique(prompts[weights > 0])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    near = (np.abs(expit(material.margins) - 0.5) < CLOSE) & (weights > 0)
    share = mean(near.astype(np.float64), prompts, weights, covers="prompts")
    brings = ""
    if 0 < near.sum() < 0.9 * (weights > 0).sum():
        brings = _brings(material, near)
    yield Measurement(
        size=share,
        test=None,
        seen=f"{share} of the pairs are near ties to a model that did not see them "
        f"(its probability is within {CLOSE:g} of 1/2).{brings}",
        advice="Nothing is wrong with them. They are the pairs on which a second vote says most; "
        "label next ranks pairs for one.",
        assumption="the model's probabilities are right on average: a weak model calls many pairs "
        "near ties that are none to people",
        details={"near ties": int(near.sum())},
    )


def _brings(material: Material, near: np.ndarray) -> str:
    """What accuracy is lost without the near ties, beside without as many others, in words."""
    drawn, given = np.zeros(len(near), dtype=bool), material.weights > 0
    drawn[given] = np.random.default_rng(material.seed).permutation(near[given])
    kept = 1.0 - np.stack([np.zeros(len(near)), near, drawn], axis=1)
    right = right_on_parts(material, kept)
    dependence = Dependence.of(material.prompts, len(near))
    lost = []
    for k in (1, 2):
        one = spread(right[:, 0] - right[:, k], dependence, material.weights)
        test = MinimumEffect(one.mean, max(one.error, 0.5 / len(near)), one.freedom, 0.0, "either")
        lost.append(test.estimate(len(near), "prompts"))
    whole = float(material.weights @ right[:, 0] / material.weights.sum())
    return (
        f" Trained on all it is right on {written(whole)}; without the near ties on {lost[0]} "
        f"less, without as many pairs drawn at random on {lost[1]} less."
    )


DIAGNOSTIC = Diagnostic(
    name="near ties",
    threat="sparse feedback",
    question="How many pairs are coins to a model, and what do they bring?",
    unit="of the pairs",
    matters=0.3,
    reference=0.5,
    null="at most this share of pairs has a probability within .1 of one half",
    measure=near_ties,
    embeds=True,
)
