"""Do the members of an ensemble order what the policy writes alike?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.models.samples import SampledMaterial, missing
from surefoot.statistics.dependence import Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.ties import side_of_margins

#: Two rewards that correlate by .7 order arccos(.7) / pi = .25 of pairs differently: half of the
#: variance of either is then its own.
MATTERS = 0.25
#: Responses to a prompt of which all pairs are compared; of more, the first.
_MOST = 64


def disagree(material: SampledMaterial) -> Iterator[Measurement | Lacking]:
    """Share of pairs of one prompt's responses that two members order differently, a tie by half.

    Members differ in their seed or their data alone: where they disagree, the reward is noise.
    """
    samples = material.samples
    lacking = missing(DIAGNOSTIC, samples, what=" and an ensemble")
    if lacking or samples is None:
        yield lacking or Lacking("")
        return
    if samples.members is None:
        yield Lacking(f"{DIAGNOSTIC.name}: an ensemble (of several seeds, say).")
        return
    shares = np.array([discordance(rewards) for rewards in samples.each(samples.members)])
    prompts = len(shares)
    found = spread(shares, Dependence.of(None, prompts), np.ones(prompts))
    test = MinimumEffect(found.mean, found.error, found.freedom, MATTERS)
    size = test.estimate(prompts, "prompts")
    same = np.mean([np.ptp(one.argmax(0)) == 0 for one in samples.each(samples.members)])
    yield Measurement(
        size=size,
        test=test,
        seen=f"Two of its {samples.members.shape[1]} members order {size} of the pairs of "
        f"responses to a prompt differently (0.5: one says nothing of the other); all choose the "
        f"same best response at {same:.1%} of {prompts:,} prompts.",
        rows=samples.rows(material.prompts, shares > MATTERS, np.minimum(2 * shares, 1.0)),
        advice="What is on top for one member is luck: reward by the mean or with pessimism "
        "(`pessimism: variance-penalised` or `worst-case`), and label pairs of these responses "
        "first.",
        details={"same_best": float(same)},
        grows="prompts",
    )


def discordance(rewards: Floats) -> float:
    """Of rewards (K, M), the share of pairs of responses that two members order differently.

    >>> discordance(np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]])).__round__(3)
    0.333
    """
    some = rewards[:_MOST]
    first, second = np.triu_indices(len(some), 1)
    sides = np.stack([side_of_margins(m[first] - m[second]) for m in some.T], axis=1)
    members = sides.shape[1]
    products = sides.T @ sides / len(sides)
    agreement = (products.sum() - np.trace(products)) / (members * (members - 1))
    return float((1 - agreement) / 2)


DIAGNOSTIC = Diagnostic(
    name="members disagree",
    threat="reward model",
    question="Do members of the ensemble order the policy's responses alike?",
    unit="of pairs of responses that two members order differently",
    matters=MATTERS,
    reference=0.4,
    null="two members order at most this share of pairs differently",
    measure=disagree,
    source="Coste et al., Reward model ensembles (arXiv 2310.02743)",
)
