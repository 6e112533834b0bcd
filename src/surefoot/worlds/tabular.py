"""Tabular preference worlds: a few prompts and responses, so that everything is known exactly.

X prompts, A responses to each. What is drawn follows the law of VRPO and DRPO: a prompt, two
responses by a policy (independent, so they can be the same), a label by the true preference, and
pairs of reference responses. What is exact is a sum over all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.errors import DataError
from surefoot.objectives import MarginLoss, Objective
from surefoot.worlds.linear_fits import LinearProblems
from surefoot.worlds.tabular_pairs import TabularPairs

#: How far probabilities may be off by rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class TabularWorld:
    """Prompts, responses, a reference policy and true preferences.

    Policies are (X, A). Of those that methods take, `behaviour` writes the compared responses, and
    `sampler` the reference pairs, wrongly where it is not the former; None: the reference policy.

    Raises:
        DataError: shapes that do not agree, probabilities outside [0, 1] or that do not sum to 1.
    """

    features: Floats  #: (X, A, D) of each response
    #: (K, X, A, A) P(first preferred over second) of each kind of annotator, by prompt and
    #: responses; the two orders of a pair sum to 1
    kinds: Floats
    reference: Floats  #: (X, A) the reference policy
    prompts: Floats = field(default_factory=lambda: np.empty(0))  #: (X,) shares; default: equal
    #: (K,) share of each kind of annotator; default: equal
    shares: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        count, answers = self.features.shape[:2]
        shape = (count, answers, answers)
        if self.kinds.ndim != 4 or self.kinds.shape[1:] != shape:
            raise DataError(f"kinds has shape {self.kinds.shape}; it takes (K, {shape}).")
        if self.kinds.min() < 0 or self.kinds.max() > 1:
            raise DataError("preferences are probabilities, in [0, 1].")
        gap = np.abs(self.kinds + self.kinds.swapaxes(2, 3) - 1).max()
        if gap > _ROUNDING:
            raise DataError(f"P(a over b) and P(b over a) sum to 1; they are off by {gap:.1e}.")
        for name, size in (("prompts", count), ("shares", len(self.kinds))):
            given = getattr(self, name)
            object.__setattr__(self, name, given if len(given) else np.full(size, 1 / size))
            self._check(name, getattr(self, name), (size,))
        self._check("reference", self.reference, (count, answers))

    @cached_property
    def preference(self) -> Floats:
        """(X, A, A) P(first preferred) by an annotator of unknown kind: the truth g*."""
        return np.tensordot(self.shares, self.kinds, 1)

    @cached_property
    def win_rates(self) -> Floats:
        """(X, A) P(a response is preferred over one of the reference policy)."""
        return np.einsum("xab,xb->xa", self.preference, self.reference)

    # Policies, exactly

    def total_preference(self, policy: Floats) -> float:
        """Total preference p* of a policy (X, A): P(its response is preferred to a reference's)."""
        return float(self.prompts @ (policy * self.win_rates).sum(1))

    def kl(self, policy: Floats) -> float:
        """KL divergence of a policy (X, A) from the reference, mean over prompts, in nats."""
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(policy > 0, policy * np.log(policy / self.reference), 0.0)
        return float(self.prompts @ terms.sum(1))

    def value(self, policy: Floats, beta: float) -> float:
        """Total preference of a policy (X, A) less beta KL: what policies are judged by."""
        return self.total_preference(policy) - beta * self.kl(policy)

    def optimum(self, beta: float) -> Floats:
        """The policy (X, A) of the largest :meth:`value`: reference exp(win rates / beta) / Z."""
        return tilted(self.reference, self.win_rates / beta)

    def regret(self, policy: Floats, beta: float) -> float:
        """Value of the optimum less that of a policy: beta times its KL from the optimum."""
        return self.value(self.optimum(beta), beta) - self.value(policy, beta)

    # Objectives, exactly

    def expected(
        self,
        objective: Objective,
        weights: ArrayLike,
        auxiliary: Floats | None = None,
        behaviour: Floats | None = None,
        sampler: Floats | None = None,
    ) -> tuple[float, Floats]:
        """Expected loss and its gradient (D,), for a linear reward.

        One reference pair stands for any number: they enter as a mean.

        Args:
            objective: its risk is the mean.
            weights: (D,) of the reward.
            auxiliary: (X, A, A) an auxiliary model's P(first preferred).
            behaviour: policy of the compared responses.
            sampler: policy of the reference pairs.
        """
        pairs = self.enumerated(
            behaviour, self._default(sampler) if auxiliary is not None else None
        )
        w = torch.as_tensor(weights, dtype=torch.float64).requires_grad_()
        margins = pairs.differences(self.features) @ w
        rows = len(pairs.prompts)
        losses = objective.pair_losses(margins[:rows], pairs.evidence(auxiliary), margins[rows:])
        value = (torch.from_numpy(pairs.mass) * losses).sum()
        (gradient,) = torch.autograd.grad(value, w)
        return float(value.detach()), gradient.numpy()

    def minimiser(
        self, psi: MarginLoss, l2: float = 0.0, behaviour: Floats | None = None
    ) -> Floats:
        """Weights (D,) of the linear reward that minimises the expected loss on true preferences.

        With a ridge penalty (l2 / 2) |weights|^2.

        Raises:
            ConfigurationError: the loss has kinks or is not convex.
        """
        pairs = self.enumerated(behaviour)
        problem = LinearProblems(
            Objective(loss=psi),
            pairs.differences(self.features)[:, None],
            pairs.evidence().as_columns(),
            l2,
            torch.from_numpy(pairs.mass)[:, None],
        )
        return problem.solve()[0].numpy()

    # Data

    def draw(
        self,
        count: int,
        pairs: int = 0,
        *,
        seed: int | Sequence[int] = 0,
        repetitions: int | None = None,
        behaviour: Floats | None = None,
        sampler: Floats | None = None,
    ) -> TabularPairs:
        """Draw comparisons.

        Args:
            count: N comparisons.
            pairs: M pairs of reference responses for each.
            seed: of what is drawn.
            repetitions: R independent data sets at once, as (N, R); None: one, as (N,).
            behaviour: policy of the compared responses.
            sampler: policy of the reference pairs.
        """
        rng = np.random.default_rng(seed)
        shape = (count,) if repetitions is None else (count, repetitions)
        prompts = rng.choice(len(self.reference), size=shape, p=self.prompts)
        responses = _responses(rng, self._default(behaviour), prompts)
        kinds = rng.choice(len(self.kinds), size=shape, p=self.shares)
        chance = self.kinds[kinds, prompts, responses[..., 0], responses[..., 1]]
        labels = (rng.random(shape) < chance).astype(np.float64)
        references = _responses(rng, self._default(sampler), prompts.repeat(pairs, axis=0))
        return TabularPairs(prompts, responses, labels, kinds, references, np.ones(shape))

    def enumerated(
        self, behaviour: Floats | None = None, sampler: Floats | None = None
    ) -> TabularPairs:
        """Every comparison with its probability for mass.

        With a `sampler` each comes with each pair of its responses, as rows of their own; without
        one there are no reference pairs.
        """
        kinds, count, answers, _ = self.kinds.shape
        drawn = 0 if sampler is None else 2
        sizes = (count, kinds, 2, answers, answers, *[answers] * drawn)
        x, k, y, a, b, *rest = (axis.ravel() for axis in np.indices(sizes))
        policy = self._default(behaviour)
        chance = self.kinds[k, x, a, b]
        mass = self.prompts[x] * policy[x, a] * policy[x, b] * self.shares[k]
        mass = mass * np.where(y == 1, chance, 1 - chance)
        references = np.empty((0, 2), dtype=np.int64)
        if sampler is not None:
            references = np.stack(rest, axis=-1)
            mass = mass * sampler[x, rest[0]] * sampler[x, rest[1]]
        return TabularPairs(x, np.stack([a, b], axis=-1), y.astype(np.float64), k, references, mass)

    def _default(self, policy: Floats | None) -> Floats:
        if policy is None:
            return self.reference
        self._check("a policy", policy, self.reference.shape)
        return policy

    @staticmethod
    def _check(name: str, values: Floats, shape: tuple[int, ...]) -> None:
        if values.shape != shape:
            raise DataError(f"{name} has shape {values.shape}; it takes {shape}.")
        if values.min() < 0 or np.abs(values.sum(-1) - 1).max() > _ROUNDING:
            raise DataError(f"{name} takes probabilities that sum to 1; got {values}.")


def tilted(reference: Floats, logits: Floats) -> Floats:
    """The policy (..., A) reference exp(logits) / Z."""
    raised = reference * np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def sigmoid(logits: Floats) -> Floats:
    """1 / (1 + e^-z), whose values at z and -z sum to 1."""
    half = np.tanh(logits / 2) / 2
    return 0.5 + half


def bradley_terry(rewards: Floats) -> Floats:
    """Preference (..., A, A) of rewards (..., A): sigma(reward of the first less of the second)."""
    return sigmoid(rewards[..., :, None] - rewards[..., None, :])


def _responses(rng: np.random.Generator, policy: Floats, prompts: Ints) -> Ints:
    """Two independent responses (..., 2) to each prompt (...)."""
    levels = policy.cumsum(-1)[:, :-1]
    drawn = rng.random((*prompts.shape, 2))
    # One comparison per response is faster than a search, and these tables are narrow.
    found = np.zeros(drawn.shape, dtype=np.int64)
    for level in range(levels.shape[1]):
        found += drawn >= levels[prompts, level][..., None]
    return found
