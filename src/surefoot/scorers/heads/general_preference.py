"""General preference model on frozen features: Zhang et al. (2410.02197)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.scorers.head import Parameters
from surefoot.scorers.heads.mlp import hidden_layer
from surefoot.scorers.skew import SkewOptions
from surefoot.scorers.solvers.trained import TrainedHead, drawn, of_pairs

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class GeneralPreference(SkewOptions, TrainedHead, kind="general-preference"):
    """margin = s(a, b) / tau, s = sum_l lambda_l(x) v_a' R_l v_b: judges pairs, and knows cycles.

    v is a unit vector in 2k dimensions made of a response's features
    (:mod:`surefoot.scorers.skew`), R_l turns it by a right angle in plane l. Trained by AdamW on
    all pairs at once.
    """

    pairwise = True
    candidates = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

    hidden: int = Field(0, ge=0)
    """Width of a hidden layer of the embedding; 0: the embedding is linear in the features."""
    learning_rate: float = Field(1e-2, gt=0)
    """Peak learning rate of AdamW; it rises over a tenth of the steps and falls as a cosine."""

    def initial(self, dimension: int, context: int, generator: torch.Generator) -> Parameters:
        """W (D, 2k), or (H, 2k) behind a hidden layer; weights of prompts (C, k); rewards (D,)."""
        import torch

        parameters = {}
        inputs = dimension
        if self.hidden:
            parameters["weight"] = drawn(generator, dimension, self.hidden)
            parameters["bias"] = torch.zeros(self.hidden)
            inputs = self.hidden
        parameters["embedding"] = drawn(generator, inputs, 2 * self.blocks, gain=0.3)
        if self.prompt_weights:
            parameters["prompt"] = drawn(generator, context, self.blocks, gain=0.1)
        if self.reward:
            parameters["reward"] = torch.zeros(dimension)
        return parameters

    def batch_scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None
    ) -> Tensor:
        """Half the margin and its opposite (n, 2, K), of features (n, 2, D) and (n, C)."""
        import torch

        if self.hidden:
            inner = hidden_layer(features, parameters["weight"], parameters["bias"])
            offsets = torch.einsum("npkh,khe->npke", inner, parameters["embedding"])
        else:
            offsets = torch.einsum("npd,kde->npke", features, parameters["embedding"])
        prompts = None
        if self.prompt_weights:
            prompts = torch.einsum("nc,kcl->nkl", context, parameters["prompt"])
        margins = self.margins(offsets[:, 0], offsets[:, 1], prompts)
        if self.reward:
            margins = margins + (features[:, 0] - features[:, 1]) @ parameters["reward"].T
        return of_pairs(margins)

    @property
    def context(self) -> bool:
        """Whether prompts' own features set the weights of the planes."""
        return self.prompt_weights
