"""Where would this reward push the policy, and do labels want to go there?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.features import FEATURES, Feature
from surefoot.auditing.models.samples import PolicySamples, SampledMaterial, missing
from surefoot.auditing.picture import Arrows
from surefoot.statistics import mean
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Spread
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.tilt import FEWEST_EFFECTIVE, tilt
from surefoot.statistics.within import correlation_of_sums, correlation_within, covariances

#: At a nat from the policy a correlation of .2 moves the feature by .28 of its deviation.
MATTERS = 0.2
#: What labels leave of a correlation: labels that are right on 60 % of pairs, of normal margins,
#: correlate with a feature by a quarter as much as what people want does.
BACKED = 0.25
#: Divergences in nats at which the tilted mean is given.
BUDGETS = 0.1, 0.25, 0.5, 1.0


def forecast(material: SampledMaterial) -> Iterator[Measurement | Lacking]:
    r"""Correlation of reward and feature under the policy, less what labels may stand for.

    .. math:: \rho_f = \frac{E_x \operatorname{Cov}_\pi(f, r \mid x)}{\sqrt{E_x
        \operatorname{Var}_\pi(f \mid x)\, E_x \operatorname{Var}_\pi(r \mid x)}}, \qquad
        \Delta f \approx \rho_f \sqrt{2 \, \mathrm{KL}}

    Labels correlate with a feature's difference by lambda; noise makes that too small, down to a
    quarter. Found is a feature that is pushed one way where labels push it the other way, or by
    less than a quarter as much: both rho and rho - 4 lambda lie beyond the size that matters.
    """
    samples = material.samples
    lacking = missing(DIAGNOSTIC, samples)
    if lacking or samples is None:
        yield lacking or Lacking("")
        return
    yielded = False
    for one in FEATURES:
        pushed = correlation_within(samples.rewards, samples.features[one.name], samples.prompt)
        labelled = pull_of_labels(material, one.name)
        varies = _prompts_that_vary(samples, one.name) >= FEWEST_CLUSTERS
        if not varies or labelled is None or not np.isfinite(pushed.error):
            continue
        yielded = True
        yield _measured(material, samples, one, pushed, labelled)
    if not yielded:
        yield Lacking(
            f"{DIAGNOSTIC.name}: a reward and a feature of form that vary among responses to a "
            "prompt, and decided labels."
        )


def _measured(
    material: SampledMaterial,
    samples: PolicySamples,
    feature: Feature,
    pushed: Spread,
    labelled: Spread,
) -> Measurement:
    test = unbacked(pushed, labelled)
    prompts, rows = len(samples.keys), len(material.labels)
    by_labels = test.error > np.sqrt(2) * pushed.error  # these are what there is too little of
    size = test.estimate(rows if by_labels else prompts, "prompts")
    drift = MinimumEffect(pushed.mean, pushed.error, pushed.freedom, 0.0).estimate(
        prompts, "prompts"
    )
    theirs = " (below 0: labels may want all of it)" if test.value < 0 else ""
    return Measurement(
        of=feature.name,
        size=size,
        test=test,
        seen=f"Under the policy the reward correlates with {feature.name} by {drift}: "
        f"{_first(drift, feature)}. Labels correlate with it by {labelled.mean:+.3f}, what "
        f"people want by up to four times as much; beyond that the reward pulls by {size}{theirs}.",
        advice="Watch this feature in training; balance the training pairs by it, and keep the KL "
        "small.",
        picture=Arrows(
            names=["reward, under the policy", "labels, times four"],
            sizes=[drift, _most(labelled, rows)],
            axis=f"correlation with {feature.name}",
            band=(-MATTERS, MATTERS),
        ),
        details={
            "correlation": drift.to_dict(),
            "labels": labelled.mean,
            "tilted": tilted(samples, feature.name),
        },
        grows="rows" if by_labels else "prompts",
        weight=3.0 if feature.name == "length" else 1.0,
    )


def _first(drift: Estimate, feature: Feature) -> str:
    """Where training would go at first, in words."""
    if drift.estimate is None or not drift.side(0.0):
        return "it is not clear which way training would move it"
    more = feature.more if drift.estimate > 0 else _less(feature.more)
    far = abs(drift.estimate) * np.sqrt(2)
    return f"training would first make responses {more}, by {far:.2f} deviations at 1 nat"


def _less(more: str) -> str:
    return "shorter" if more == "longer" else f"less {more.removeprefix('more ')}"


def _most(labelled: Spread, rows: int) -> Estimate:
    """The correlation that people may have who gave these labels, at most 1."""
    value, error = labelled.mean / BACKED, labelled.error / BACKED
    found = MinimumEffect(value, error, labelled.freedom, 0.0).estimate(rows, "prompts")
    ends = [None if end is None else float(np.clip(end, -1, 1)) for end in (found.low, found.high)]
    return replace(found, estimate=float(np.clip(value, -1, 1)), low=ends[0], high=ends[1])


def unbacked(pushed: Spread, labelled: Spread, matters: float = MATTERS) -> MinimumEffect:
    """The test of a push that labels do not back: of two, both to be beyond, the less sure one.

    Both have to be rejected (an intersection-union test: Berger 1982), so the level is kept.
    """
    side = -1.0 if pushed.mean < 0 else 1.0
    own = side * pushed.mean
    alone = MinimumEffect(own, pushed.error, pushed.freedom, matters, "either")
    of_labels = labelled.error / BACKED
    error = float(np.hypot(pushed.error, of_labels))
    parts = [(pushed.error, pushed.freedom), (of_labels, labelled.freedom)]
    fourths = sum(e**4 / max(f, 1e-9) for e, f in parts)
    freedom = error**4 / fourths if 0 < fourths < np.inf else pushed.freedom
    rest = own - side * labelled.mean / BACKED
    if rest > own > matters:  # labels want the opposite: no more than its own, no less surely
        rest, error = own, error * (own - matters) / (rest - matters)
    against = MinimumEffect(rest, error, freedom, matters)
    return against if against.p_value > alone.p_value else alone


def pull_of_labels(material: SampledMaterial, feature: str) -> Spread | None:
    """Correlation of labels with a feature's difference; None where one of them does not vary."""
    return correlation_of_rows(material, material.contrasts[feature], 2 * material.labels - 1)


def correlation_of_rows(
    material: SampledMaterial, values: Floats, targets: Floats
) -> Spread | None:
    """Of differences (N,) within pairs, about 0; None where one of them does not vary."""
    live = np.flatnonzero(material.weights > 0)
    prompts, w = material.prompts[live], material.weights[live] / material.weights[live].max()
    _, cluster = np.unique(prompts, return_inverse=True)
    f, y = (
        one[live] / (float(np.abs(one[live]).max(initial=0.0)) or 1.0) for one in (values, targets)
    )
    products = np.stack([f * y, f * f, y * y]) * w
    sums = [np.bincount(cluster, one).astype(np.float64) for one in products]
    found = correlation_of_sums(*sums)
    varying = len(np.unique(cluster[(f != 0) & (y != 0)]))
    return found if varying >= FEWEST_CLUSTERS and np.isfinite(found.mean) else None


def _prompts_that_vary(samples: PolicySamples, feature: str) -> int:
    return sum(bool(np.ptp(one) > 0) for one in samples.each(samples.features[feature]))


def tilted(samples: PolicySamples, feature: str) -> list[dict[str, Any]]:
    """By divergence, how far the feature moves, in deviations; refused beyond the samples."""
    values = samples.features[feature]
    unit = _deviation(values, samples)
    found = []
    for kl in BUDGETS:
        made = tilt(samples.rewards, samples.prompt, kl)
        if made is None:
            found.append({"kl": kl, "refused": f"below {FEWEST_EFFECTIVE:g} effective responses"})
            continue
        moved = mean(made.moved(values, samples.prompt) / unit, covers="prompts")
        found.append({"kl": kl, "moved": moved.to_dict(), "effective": made.effective})
    return found


def _deviation(values: Floats, samples: PolicySamples) -> float:
    return float(np.sqrt(covariances(values, values, samples.prompt).mean()))


DIAGNOSTIC = Diagnostic(
    name="forecast",
    threat="reward model",
    question="Would training on this reward push form where labels do not want it?",
    unit="of correlation under the policy that labels do not stand for",
    matters=MATTERS,
    reference=0.6,
    null="reward and feature correlate by at most this, or by at most this more than 4 times as "
    "much as labels and feature",
    measure=forecast,
    source="the derivative of a tilted mean; self-normalised importance weights (Owen 2013)",
)
