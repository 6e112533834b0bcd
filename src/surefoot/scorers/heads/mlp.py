"""Multi-layer perceptron head: one hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.scorers.head import Parameters
from surefoot.scorers.solvers.trained import TrainedHead, drawn

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class MLP(TrainedHead, kind="mlp"):
    """reward = v . gelu(W features + b), trained by AdamW on all pairs at once.

    Full batches: a risk is computed over all the data, not over a step.
    """

    hidden: int = Field(64, ge=1)
    """Width of the hidden layer."""

    def initial(self, dimension: int, context: int, generator: torch.Generator) -> Parameters:
        """W (D, H), b (H,) and v (H,)."""
        import torch

        return {
            "weight": drawn(generator, dimension, self.hidden),
            "bias": torch.zeros(self.hidden),
            "out": drawn(generator, self.hidden),
        }

    def batch_scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None
    ) -> Tensor:
        """Rewards (n, 2, K) of features (n, 2, D)."""
        inner = hidden_layer(features, parameters["weight"], parameters["bias"])
        return (inner * parameters["out"]).sum(-1)


def hidden_layer(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """gelu(W features + b) (..., K, H) of features (..., D) by W (K, D, H) and b (K, H)."""
    import torch

    return torch.nn.functional.gelu(torch.einsum("...d,kdh->...kh", features, weight) + bias)
