"""Random tabular worlds: Bradley-Terry, intransitive, several kinds of annotators."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from surefoot.arrays import Floats
from surefoot.errors import ConfigurationError
from surefoot.options import Options
from surefoot.worlds.tabular import TabularWorld, sigmoid, tilted


class TabularTruth(Options):
    """A family of tabular worlds; each seed is one of them.

    The logit of P(a preferred over b) is r_a - r_b + c_ab, where the reward r is linear in the
    features up to a part that they do not tell, and c is antisymmetric, no difference of rewards:
    it makes preferences cycle. With `skew` and `unexplained` 0 and one kind of annotator a linear
    Bradley-Terry model is right; a mixture of kinds follows no Bradley-Terry model.
    """

    prompts: int = Field(12, ge=1)
    """X, the number of prompts."""
    responses: int = Field(6, ge=2)
    """A, the number of responses to each prompt."""
    dimension: int = Field(4, ge=2)
    """D, of the features, which are standard normal."""
    reward: float = Field(1.0, ge=0)
    """Standard deviation of the rewards' linear part."""
    unexplained: float = Field(0.0, ge=0)
    """Standard deviation of the rewards' other part."""
    skew: float = Field(0.0, ge=0)
    """Standard deviation of the intransitive part of the logit."""
    skew_form: str = Field("features", pattern="^(features|free)$")
    """`features`: f_a' K f_b with an antisymmetric K, one for all prompts, as a general preference
    model on these features has it; `free`: a table of its own for each prompt."""
    kinds: int = Field(1, ge=1)
    """Kinds of annotators, with rewards and intransitive parts of their own."""
    agreement: float = Field(0.0, ge=-1, le=1)
    """Correlation of the rewards' weights between kinds."""
    spread: float = Field(0.0, ge=0)
    """Standard deviation of the reference policy's logits; 0: the uniform policy."""

    @model_validator(mode="after")
    def _kinds_that_can_be(self) -> Self:
        if self.kinds > 1 and self.agreement < -1 / (self.kinds - 1):
            raise ConfigurationError(
                f"{self.kinds} kinds cannot all have an agreement of {self.agreement}: at least "
                f"{-1 / (self.kinds - 1):.2f}."
            )
        return self

    def world(self, seed: int = 0) -> TabularWorld:
        """A world drawn by a seed."""
        rng = np.random.default_rng([seed, 4])
        shape = (self.prompts, self.responses)
        features = rng.standard_normal((*shape, self.dimension))
        logits = rng.standard_normal(shape)
        among = np.full((self.kinds, self.kinds), self.agreement)
        np.fill_diagonal(among, 1.0)
        # Kinds along the principal axes of what they have in common: right for any agreement.
        squares, axes = np.linalg.eigh(among)
        common = axes * np.sqrt(squares.clip(0))
        drawn = common @ rng.standard_normal((self.kinds, self.dimension))
        kinds = np.stack([sigmoid(self._logits(rng, features, weights)) for weights in drawn])
        return TabularWorld(features, kinds, tilted(np.ones(shape), self.spread * logits))

    def _logits(self, rng: np.random.Generator, features: Floats, weights: Floats) -> Floats:
        """Logits (X, A, A) of one kind of annotator."""
        other = rng.standard_normal(features.shape[:2])
        rewards = self.reward * _scaled(features @ weights) + self.unexplained * other
        size = self.dimension if self.skew_form == "features" else self.responses
        shape = (size, size) if self.skew_form == "features" else (self.prompts, size, size)
        free = rng.standard_normal(shape)
        skew = free - free.swapaxes(-1, -2)
        if self.skew_form == "features":
            skew = np.einsum("xai,ij,xbj->xab", features, skew, features)
        return rewards[:, :, None] - rewards[:, None, :] + self.skew * _scaled(skew)


def noisy(preference: Floats, scale: float, seed: int) -> Floats:
    """An auxiliary model (X, A, A) that is off by normal noise on the logit of each pair.

    The truth is inside (0, 1), `scale` the standard deviation of the noise.
    """
    drawn = np.random.default_rng([seed, 5]).standard_normal(preference.shape)
    error = np.triu(drawn, 1)
    logits = np.log(preference / (1 - preference)) + scale * (error - error.swapaxes(-1, -2))
    return sigmoid(logits)


def useless(preference: Floats) -> Floats:
    """An auxiliary model (X, A, A) that says 1/2 of every pair."""
    return np.full_like(preference, 0.5)


def _scaled(values: Floats) -> Floats:
    """Values with a root mean square of 1."""
    return values / np.sqrt(np.square(values).mean())
