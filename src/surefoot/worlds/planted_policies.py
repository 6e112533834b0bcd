"""Samples of a policy as arrays, of which it is known what a reward model does to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.features import FEATURES
from surefoot.auditing.models.diagnostics.flat_prompts import MATTERS as FLAT
from surefoot.auditing.models.diagnostics.forecast import MATTERS as PUSHED
from surefoot.auditing.models.diagnostics.members_disagree import MATTERS as DISAGREE
from surefoot.auditing.models.samples import PolicySamples

#: Kinds of laws of rewards and features: normal, heavy tails (t with 3 degrees of freedom), skewed,
#: few values.
LAWS = ("normal", "heavy", "skewed", "counts")
_NAMES = [one.name for one in FEATURES]


@dataclass
class PlantedPolicy:
    """N labelled pairs with rewards, beside samples of a policy."""

    labels: Floats  #: (N,)
    weights: Floats  #: (N,)
    prompts: Ints  #: (N,)
    contrasts: dict[str, Floats]  #: by feature, (N,)
    rewards: Floats  #: (N, 2)
    samples: PolicySamples | None


def planted_policy(
    samples: PolicySamples | None,
    rng: np.random.Generator,
    *,
    pairs: int = 2000,
    pairs_per_prompt: int = 2,
    labelled: float = 0.0,
    law: str = "normal",
) -> PlantedPolicy:
    """Pairs whose labels correlate with length by so much, whose rewards have deviation 1.

    Args:
        samples: of the policy.
        rng: draws the pairs.
        pairs: N.
        pairs_per_prompt: in the mean.
        labelled: correlation of labels with the difference in length.
        law: of features, one of :data:`LAWS`.
    """
    contrasts = dict(zip(_NAMES, standard((len(_NAMES), pairs), rng, law), strict=True))
    chance = 0.5 + 0.5 * np.clip(labelled * contrasts["length"], -1, 1)
    return PlantedPolicy(
        labels=(rng.random(pairs) < chance).astype(np.float64),
        weights=np.ones(pairs),
        prompts=rng.integers(0, max(pairs // pairs_per_prompt, 1), pairs),
        contrasts=contrasts,
        rewards=rng.normal(size=(pairs, 2)),
        samples=samples,
    )


def planted_samples(
    prompts: int,
    responses: int,
    rng: np.random.Generator,
    *,
    law: str = "normal",
    unit: float = 1.0,
    flat: float = FLAT,
    pushed: float = PUSHED,
    disagree: float = DISAGREE,
    members: int = 3,
    agrees: float = 0.5,
    hacked: float = 0.0,
) -> PolicySamples:
    """Responses of a policy; all that is not given is of the size that just does not matter.

    Args:
        prompts: P.
        responses: K to each prompt.
        rng: draws them.
        law: of the reward and of each feature, one of :data:`LAWS`.
        unit: deviation of the reward among responses to one prompt.
        flat: share of prompts at which the reward is the same for all responses.
        pushed: correlation of reward and length; the other features have none.
        disagree: share of pairs that two members order differently.
        members: M.
        agrees: correlation of the gold reward with the reward.
        hacked: what gold loses for each deviation of the reward beyond 1, in its deviations.
    """
    total = prompts * responses
    prompt = np.repeat(np.arange(prompts), responses)
    reward, gold, *free = standard((2 + len(FEATURES), total), rng, law)
    features = dict(zip(_NAMES, free, strict=True))
    features["length"] = pushed * reward + np.sqrt(1 - pushed**2) * features["length"]
    share = np.cos(np.pi * disagree)  # correlation of two members, of normal laws
    own = rng.normal(size=(total, members))
    shared = rng.normal(size=(total, 1))
    gold = agrees * reward + np.sqrt(1 - agrees**2) * gold
    gold = gold - hacked * np.maximum(reward - 1, 0)
    level = rng.normal(size=prompts)[prompt]
    live = (rng.random(prompts) >= flat)[prompt]
    return PolicySamples(
        keys=np.arange(prompts, dtype=np.int64),
        prompt=prompt,
        rewards=level + unit * np.where(live, reward, 0.0),
        features=features,
        members=level[:, None] + np.sqrt(share) * shared + np.sqrt(1 - share) * own,
        gold=gold,
    )


def standard(shape: tuple[int, ...], rng: np.random.Generator, law: str) -> Floats:
    """Draws of mean 0 and deviation 1."""
    if law == "heavy":
        return np.asarray(rng.standard_t(3, shape) / np.sqrt(3))
    if law == "skewed":
        return np.asarray((rng.lognormal(0, 1, shape) - np.exp(0.5)) / 2.161197)
    if law == "counts":
        return np.asarray((rng.binomial(3, 0.1, shape) - 0.3) / np.sqrt(0.27))
    return rng.normal(size=shape)
