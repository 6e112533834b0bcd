"""Pairwise classifier made antisymmetric: both orders of a pair, one less the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from surefoot.scorers.head import Parameters
from surefoot.scorers.solvers.trained import TrainedHead, drawn, of_pairs

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Pairwise(TrainedHead, kind="pairwise"):
    """margin = f(a, b) - f(b, a), f = v . gelu(W a + U b + b0): judges pairs, and knows cycles.

    f sees both responses, and the prompt where asked. P(a preferred) and P(b preferred) sum to 1 by
    construction. With U = 0 it is the head `mlp`. Trained by AdamW on all pairs at once.
    """

    pairwise = True

    hidden: int = Field(64, ge=1)
    """Width of the hidden layer."""
    prompt: bool = False
    """Let f see the prompt's own features too."""

    def initial(self, dimension: int, context: int, generator: torch.Generator) -> Parameters:
        """W and U (D, H), of the prompt (C, H), b0 (H,) and v (H,)."""
        import torch

        parameters = {
            "own": drawn(generator, dimension, self.hidden),
            "other": drawn(generator, dimension, self.hidden),
            "bias": torch.zeros(self.hidden),
            "out": drawn(generator, self.hidden),
        }
        if self.prompt:
            parameters["prompt"] = drawn(generator, context, self.hidden)
        return parameters

    def batch_scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None
    ) -> Tensor:
        """Half the margin and its opposite (n, 2, K), of features (n, 2, D) and (n, C)."""
        import torch

        own = torch.einsum("npd,kdh->npkh", features, parameters["own"])
        other = torch.einsum("npd,kdh->npkh", features, parameters["other"])
        inner = own + other.flip(1) + parameters["bias"]  # both orders
        if self.prompt:
            inner = inner + torch.einsum("nc,kch->nkh", context, parameters["prompt"])[:, None]
        f = (torch.nn.functional.gelu(inner) * parameters["out"]).sum(-1)
        return of_pairs(f[:, 0] - f[:, 1])

    @property
    def context(self) -> bool:
        """Whether the head looks at the prompts' own features."""
        return self.prompt
