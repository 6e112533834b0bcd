"""What a policy says of two short texts: enough to see whether two policies are the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from surefoot.scorers.language.precision import half_of
from surefoot.scorers.language.scores import autocast, mode


def probe(model: Any) -> Tensor:
    """Logits (2, 2, V) of the tokens 1 0 and 1 2, in float32, without gradient and dropout."""
    device = model.get_input_embeddings().weight.device
    texts = torch.tensor([[1, 0], [1, 2]], device=device)
    # A trained bias in float32 beside frozen weights in half precision goes with autocast only.
    with torch.no_grad(), mode(model), autocast(device, half_of(model)):
        found = model(input_ids=texts, attention_mask=torch.ones_like(texts), use_cache=False)
    logits: Tensor = found.logits.float()
    return logits


def rounding(model: Any) -> float:
    """What two ways to compute the same logits may differ by, as a part of the largest."""
    dtype = half_of(model)
    return 1e-4 if dtype is None else 1e-2


def close(one: Tensor, other: Tensor, part: float) -> bool:
    """Whether the two are the same up to this part of the largest."""
    return float((one - other).abs().max()) <= part * float(other.abs().max())
