"""General preference model on frozen features: Zhang et al. (2410.02197)."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from surefoot.errors import ConfigurationError
from surefoot.scorers.head import Parameters
from surefoot.scorers.heads.mlp import hidden_layer
from surefoot.scorers.skew import skew_score, unit_embeddings
from surefoot.scorers.trained_head import TrainedHead, drawn, of_pairs


class GeneralPreference(TrainedHead, kind="general-preference"):
    """margin = s(a, b) / tau, s = sum_l lambda_l(x) v_a' R_l v_b: judges pairs, and knows cycles.

    v is a unit vector in 2k dimensions made of a response's features
    (:mod:`surefoot.scorers.skew`), R_l turns it by a right angle in plane l. Trained by AdamW on
    all pairs at once.
    """

    blocks: int = Field(4, ge=1)
    """Planes of the embedding, k in the paper; one holds one cycle."""
    temperature: float = Field(0.1, gt=0)
    """tau: no margin is beyond 1 / tau. Toward 0 the head becomes one of rewards."""
    hidden: int = Field(0, ge=0)
    """Width of a hidden layer of the embedding; 0: the embedding is linear in the features."""
    prompt_weights: bool = False
    """Weigh the planes by a softmax of the prompt's own features; false: all weigh 1."""
    reward: bool = False
    """Add a difference of rewards that are linear in the features."""
    learning_rate: float = Field(3e-2, gt=0)
    """Peak learning rate of AdamW; it rises over a tenth of the steps and falls as a cosine."""

    @model_validator(mode="after")
    def _one_plane_has_no_weights(self) -> Self:
        if self.prompt_weights and self.blocks == 1:
            raise ConfigurationError(
                "prompt_weights has no effect on one plane: a softmax of one number is 1. Set "
                "blocks to 2 or more."
            )
        return self

    def initial(self, dimension: int, context: int, generator: torch.Generator) -> Parameters:
        """W (D, 2k), or (H, 2k) behind a hidden layer; weights of prompts (C, k); rewards (D,)."""
        found = {}
        inputs = dimension
        if self.hidden:
            found["weight"] = drawn(generator, dimension, self.hidden)
            found["bias"] = torch.zeros(self.hidden)
            inputs = self.hidden
        found["embedding"] = drawn(generator, inputs, 2 * self.blocks)
        if self.prompt_weights:
            found["prompt"] = drawn(generator, context, self.blocks, gain=0.1)
        if self.reward:
            found["reward"] = torch.zeros(dimension)
        return found

    def batch_scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None
    ) -> Tensor:
        """Half the margin and its opposite (n, 2, K), of features (n, 2, D) and (n, C)."""
        if self.hidden:
            inner = hidden_layer(features, parameters["weight"], parameters["bias"])
            offsets = torch.einsum("npkh,khe->npke", inner, parameters["embedding"])
        else:
            offsets = torch.einsum("npd,kde->npke", features, parameters["embedding"])
        v = unit_embeddings(offsets, self.temperature)
        weights = None
        if self.prompt_weights:
            weights = torch.einsum("nc,kcl->nkl", context, parameters["prompt"]).softmax(-1)
        margins = skew_score(v[:, 0], v[:, 1], weights) / self.temperature
        if self.reward:
            margins = margins + (features[:, 0] - features[:, 1]) @ parameters["reward"].T
        return of_pairs(margins)

    def candidates(self) -> tuple[float, ...]:
        """Seven penalties from 0.001 to 1."""
        return (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)

    @property
    def width(self) -> int:
        """The embedding, and the hidden layer."""
        return self.hidden + 2 * self.blocks

    @property
    def pairwise(self) -> bool:
        """It is."""
        return True

    @property
    def context(self) -> bool:
        """For the weights of the planes."""
        return self.prompt_weights
