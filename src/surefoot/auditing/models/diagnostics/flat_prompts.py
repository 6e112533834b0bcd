"""Does the reward tell apart what the policy writes, or is it flat there?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.models.samples import SampledMaterial, missing
from surefoot.statistics.dependence import Dependence, spread
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.within import covariances

#: Responses to a prompt below which a variance says little.
FEWEST = 4
#: Of the variance within pairs of preferences, what counts as hardly any. Margins are then below a
#: third of those that the model was judged by: one that is right on three pairs of four of these is
#: right on six of ten such, near a coin; and the bound on the policy's progress, which goes with
#: the cube root of the variance, is less than half.
HARDLY = 0.1
#: One prompt in four that teaches nothing costs a quarter of what is sampled.
MATTERS = 0.25
#: The median of |a - b| of two draws of a normal law, by its deviation.
_MEDIAN = 0.6745 * np.sqrt(2)


def flat(material: SampledMaterial) -> Iterator[Measurement | Lacking]:
    r"""Share of prompts at which the variance of the reward under the policy is hardly any.

    .. math:: V(x) = \operatorname{Var}_{y \sim \pi}\, r(x, y) < u^2 / 10

    The variance is that of the responses drawn, of which there are four or more: with few, some
    prompts are counted by chance, 4 % with four and .2 % with eight where V is u^2. u is the
    deviation within pairs of preferences: by their median, or by their mean square where that is
    smaller, so that a few huge margins make nothing else look flat.
    """
    samples, unit = material.samples, within_pairs(material)
    lacking = missing(DIAGNOSTIC, samples, FEWEST)
    if lacking or samples is None:
        yield lacking or Lacking("")
        return
    if not unit > 0:
        yield Lacking(f"{DIAGNOSTIC.name}: a model that tells the responses of pairs apart.")
        return
    enough = samples.counts >= FEWEST
    variances = covariances(samples.rewards, samples.rewards, samples.prompt) / unit**2
    hardly = variances[enough] < HARDLY
    prompts = len(hardly)
    found = spread(hardly.astype(float), Dependence.of(None, prompts), np.ones(prompts))
    test = MinimumEffect(found.mean, found.error, found.freedom, MATTERS)
    size = test.estimate(prompts, "prompts")
    usual = float(np.sqrt(np.median(variances[enough])))
    same = float((variances[enough] == 0).mean())
    yield Measurement(
        size=size,
        test=test,
        seen=f"At {size} of {prompts:,} prompts the reward hardly distinguishes what the policy "
        f"writes: it varies by less than a third of the deviation within pairs ({usual:.2f} of it "
        f"at the middle prompt; all responses have one reward at {same:.1%}).",
        rows=samples.rows(
            material.prompts, enough & (variances < HARDLY), 1 - np.minimum(variances / HARDLY, 1)
        ),
        advice="There this reward teaches the policy nothing, however accurate it is. Label pairs "
        "of the policy's own responses and train on these too; draw prompts where it varies, or "
        "more responses to each.",
        details={"middle_deviation": usual, "all_alike": same, "unit": unit},
        grows="prompts",
    )


def within_pairs(material: SampledMaterial) -> float:
    """Deviation of rewards within pairs: by the median, or the mean square where that is less."""
    live = np.flatnonzero(material.weights > 0)
    margins = np.abs(material.rewards[live, 0] - material.rewards[live, 1])
    weights = material.weights[live] / material.weights[live].sum()
    root = float(np.sqrt(weights @ np.square(margins) / 2))
    order = np.argsort(margins)
    place = int(np.searchsorted(np.cumsum(weights[order]), 0.5))
    middle = float(margins[order][min(place, len(order) - 1)]) / _MEDIAN
    return min(root, middle) if middle > 0 else root


DIAGNOSTIC = Diagnostic(
    name="flat prompts",
    threat="reward model",
    question="Does the reward distinguish what the policy writes?",
    unit="of prompts at which the reward hardly varies",
    matters=MATTERS,
    reference=0.5,
    null="at most this share of prompts has responses of a variance below a tenth of that in pairs",
    measure=flat,
    source="Razin et al., What makes a reward model a good teacher (arXiv 2503.15477)",
)
