"""A tabular world, a policy to be valued in it, and nuisances that are right or wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.evaluation.policies.value import RatioOptions, Terms, terms
from surefoot.worlds import TabularPairs, TabularTruth, TabularWorld
from surefoot.worlds.tabular import tilted

Array = np.ndarray
ESTIMATORS = ("doubly robust", "direct", "importance")
NUISANCES = ("both right", "wrong preference", "wrong reference", "both wrong")


@dataclass(frozen=True)
class Scene:
    """A world, a policy (X, A) to be valued, and the nuisances by whether they are right.

    Attributes:
        preferences: (X, A, A), right and wrong.
        references: (X, A), right and wrong.
    """

    world: TabularWorld
    policy: Array
    preferences: dict[bool, Array]
    references: dict[bool, Array]

    @classmethod
    def of(cls, truth: TabularTruth, seed: int, beta: float, off: float) -> Scene:
        """One scene.

        Args:
            truth: the family of worlds; the wrong preference is that of another of its worlds.
            seed: of the world.
            beta: the policy is the optimum of total preference less beta KL.
            off: deviation of the noise on the logits of the wrong reference.
        """
        world = truth.world(seed)
        noise = np.random.default_rng([seed, 6]).standard_normal(world.reference.shape)
        wrong = tilted(world.reference, off * noise)
        other = truth.world(1000 + seed).preference
        return cls(
            world,
            world.optimum(beta),
            {True: world.preference, False: other},
            {True: world.reference, False: wrong},
        )

    @property
    def value(self) -> float:
        """The truth."""
        return self.world.total_preference(self.policy)

    def nuisances(self, name: str) -> tuple[Array, Array]:
        """Preference (X, A, A) and log-ratios (X, A) of one row of the table."""
        wrong = (
            name in ("wrong preference", "both wrong"),
            name in ("wrong reference", "both wrong"),
        )
        reference = self.references[not wrong[1]]
        return self.preferences[not wrong[0]], np.log(self.policy / reference)

    def exact(self, name: str) -> dict[str, float]:
        """What each estimator tends to, by enumeration."""
        preference, log_ratios = self.nuisances(name)
        pairs = self.world.enumerated()
        x, (a, b) = pairs.prompts, pairs.responses.T
        against = np.einsum("xa,xab->xb", self.policy, preference)
        sampled = np.stack([against[x, a], against[x, b]], axis=1)
        ratios = np.exp(np.stack([log_ratios[x, a], log_ratios[x, b]], axis=1))
        found = terms(pairs.labels, preference[x, a, b], sampled, ratios)
        return {n: float(pairs.mass @ v) for n, v in by_estimator(found).items()}


@dataclass(frozen=True)
class Records:
    """R data sets of N records: what the estimators take.

    Attributes:
        labels, auxiliary: (N, R).
        sampled, log_ratios: (N, R, 2).
    """

    labels: Array
    auxiliary: Array
    sampled: Array
    log_ratios: Array


def draw(
    scene: Scene, n: int, samples: int, repetitions: int, seed: tuple[int, ...]
) -> TabularPairs:
    """Records of R data sets, responses from the reference and samples from the policy."""
    return scene.world.draw(
        n, samples // 2, seed=seed, repetitions=repetitions, sampler=scene.policy
    )


def records(scene: Scene, name: str, drawn: TabularPairs) -> Records:
    """The same draws as one pair of nuisances sees them."""
    preference, log_ratios = scene.nuisances(name)
    n, repetitions = drawn.labels.shape
    x, responses = drawn.prompts, drawn.responses
    # (M N, R, 2) to (N, R, S): the samples of each record
    samples = drawn.references.reshape(n, -1, repetitions, 2).transpose(0, 2, 1, 3)
    samples = samples.reshape(n, repetitions, -1)
    sampled = np.stack(
        [preference[x[..., None], samples, responses[..., [k]]].mean(-1) for k in (0, 1)], axis=-1
    )
    return Records(
        drawn.labels,
        preference[x, responses[..., 0], responses[..., 1]],
        sampled,
        log_ratios[x[..., None], responses],
    )


def by_estimator(found: Terms) -> dict[str, Array]:
    """Values of single records by the name of the estimator."""
    values = (found.direct + found.correction, found.direct, found.importance)
    return dict(zip(ESTIMATORS, values, strict=True))


def estimates(data: Records, options: RatioOptions) -> dict[str, Array]:
    """Each estimate of each of R data sets, (R,)."""
    shape = data.labels.shape
    low, high = options.clip or (0.0, np.inf)
    ratios = np.exp(data.log_ratios).clip(low, high).reshape(-1, 2)
    flat = (data.labels.ravel(), data.auxiliary.ravel(), data.sampled.reshape(-1, 2), ratios)
    found = terms(*flat)
    scale = found.ratio.reshape(shape).mean(0) if options.self_normalise else 1.0
    direct, importance, correction = (
        values.reshape(shape).mean(0)
        for values in (found.direct, found.importance, found.correction)
    )
    values = (direct + correction / scale, direct, importance / scale)
    return dict(zip(ESTIMATORS, values, strict=True))
