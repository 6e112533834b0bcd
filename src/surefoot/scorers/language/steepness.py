"""How much a small change of the input embeddings moves a pair's margin.

The embeddings are those that the model's first layer looks up, of every token of both responses
and their prompt. They stay in the graph: what is learnt from their gradients is learnt by the
table, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.objectives import Outputs
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.scores import ScoreFunction


def with_steepness(
    score: ScoreFunction, model: nn.Module, batch: PairBatch, learn: bool = False
) -> Outputs:
    """Rewards of a batch of n pairs, and |grad_e (r_a - r_b)|^2 (n,) in the input embeddings e.

    Pairs do not see each other, nor their padding, so that one backward pass gives the gradient of
    each.

    Args:
        score: of rewards.
        model: in the mode that it is trained in; its parameters' gradients are left alone.
        batch: the pairs.
        learn: keep the graph of both, for a second derivative.
    """
    looked_up: list[Tensor] = []  # (B, T, D) each time that the embedding layer is asked

    def keep(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        if not output.requires_grad:  # of a table that is not trained
            output = output.detach().requires_grad_()
        looked_up.append(output)
        return output

    layer: Any = model
    with torch.enable_grad(), layer.get_input_embeddings().register_forward_hook(keep):
        outputs = score(model, batch, None)
        margins = outputs.scores[:, 0] - outputs.scores[:, 1]
        gradients = torch.autograd.grad(margins.sum(), looked_up, create_graph=learn)
        squares = torch.stack([one.square().sum((1, 2)) for one in gradients]).sum(0)
        steepness = squares.view(-1, 2).sum(1)
    if learn:
        return replace(outputs, steepness=steepness)
    return replace(outputs, scores=outputs.scores.detach(), steepness=steepness.detach())
