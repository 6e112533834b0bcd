"""What of the reward do pairs not identify, and how long are its tails?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.auditing.models.material import RewardMaterial
from surefoot.statistics.dependence import FEWEST_CLUSTERS
from surefoot.statistics.estimate import Scope
from surefoot.statistics.intervals import mean

#: Beyond so many deviations from the median a normal law has one reward in 16,000.
FAR = 4.0


def between(material: RewardMaterial) -> Iterator[Measurement | Lacking]:
    r"""Share of the variance of rewards that lies between prompts.

    .. math:: 1 - \operatorname{E} (r_a - r_b)^2 / 2 \; / \; \operatorname{Var} r

    Training on pairs sees differences within a prompt alone, so that any function of the prompt can
    be added to the reward. What it happens to be matters where rewards of different prompts are
    compared or averaged: thresholds, advantages without a baseline by prompt, means over a set.
    """
    live = np.flatnonzero(material.weights > 0)
    if len(np.unique(material.prompts[live])) < FEWEST_CLUSTERS:
        yield Lacking(f"{DIAGNOSTIC.name}: rows of {FEWEST_CLUSTERS} prompts or more.")
        return
    rewards, weights = material.rewards[live], material.weights[live]
    w = weights / weights.sum()
    centre = float(w @ rewards.mean(axis=1))
    whole = float(w @ np.square(rewards - centre).mean(axis=1))
    if not whole > 0:
        yield Lacking(f"{DIAGNOSTIC.name}: rewards that are not all the same.")
        return
    halves = np.square(rewards[:, 0] - rewards[:, 1]) / 2
    share = mean(halves / whole, material.prompts[live], weights)  # of what lies within prompts
    value = float(np.clip(1 - float(w @ halves) / whole, 0, 1))
    scope = Scope(len(live), "prompts", share.level, (0.0, 1.0))
    size = scope.refused(value, share.note)
    if share.low is not None and share.high is not None:
        low, high = (float(np.clip(1 - end, 0, 1)) for end in (share.high, share.low))
        size = scope.interval(value, min(low, value), max(high, value))
    middle = float(np.median(rewards))
    unit = float(np.median(np.abs(rewards - middle))) * 1.4826 or np.sqrt(whole)
    far = float(w @ (np.abs(rewards - middle) > FAR * unit).mean(axis=1))
    yield Measurement(
        size=size,
        test=None,
        seen=f"{size} of the variance of rewards lies between prompts, which pairs do not "
        f"identify; mean {centre:.2f}, deviation {np.sqrt(whole):.2f}; {far:.2%} of rewards lie "
        f"beyond {FAR:g} (robust) deviations, where a normal law has .01 %.",
        advice="Compare rewards within a prompt alone (a baseline by prompt, as RLOO and GRPO "
        "have); the regulariser reward-centring keeps the level near 0"
        + ("; bound long tails before a policy is trained on them." if far > 0.005 else "."),
        assumption="the two responses to a prompt differ as much as any others would",
        details={"mean": centre, "deviation": float(np.sqrt(whole)), "far": far},
    )


DIAGNOSTIC = Diagnostic(
    name="scale",
    threat="reward model",
    question="How much of the reward can pairs not identify?",
    unit="of the variance of rewards, between prompts",
    matters=0.5,
    reference=0.9,
    null="at most half of the variance of rewards lies between prompts",
    measure=between,
)
