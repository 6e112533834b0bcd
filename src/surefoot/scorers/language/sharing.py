"""Is a prompt read once for all of its responses? Where that is the same, to rounding.

A row then holds the prompt and its responses, each of which sees the prompt and itself, at the
places that it has behind the prompt: (P + A + B) tokens in place of (P + A) + (P + B). Whether a
model reads such a tree as its texts is tried on two pairs, with the gradient where it is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.arrays import Ints
from surefoot.data.rendering.token_pairs import TokenPairs
from surefoot.scorers.language.adapters import rounding
from surefoot.scorers.language.architecture import is_causal
from surefoot.scorers.language.batch import PairBatch
from surefoot.scorers.language.forward import Engine
from surefoot.scorers.language.scores import base_of, mode

#: Part of the tokens that is spared at least, for a tree to be worth its mask.
LEAST = 0.05
#: Gradients of two ways to compute may differ by so many times what their scores may.
_OF_GRADIENTS = 10.0

#: What makes a batch scores (n, 2).
Score = Callable[[nn.Module, PairBatch], Tensor]


@dataclass(frozen=True)
class Sharing:
    """Whether prompts are shared, and what that spares."""

    spared: float  #: part of the tokens that sharing spares, or would
    why_not: str = ""  #: why it is not done; empty where it is

    @property
    def worth_saying(self) -> bool:
        """Whether there is anything to gain."""
        return self.spared >= LEAST

    def __str__(self) -> str:
        if self.why_not:
            return f"prompts are read with each response: {self.why_not}"
        return f"prompts are read once for both responses: {self.spared:.0%} fewer tokens"


def suited(
    engine: Engine, model: nn.Module, score: Score, tokens: TokenPairs, learn: bool = False
) -> tuple[Engine, Sharing]:
    """The engine that reads prompts once, where the model allows it and it is worth while.

    An engine that is decided stays as it is.

    Args:
        engine: that runs passes of the model.
        model: on the engine's device, in any mode.
        score: what is asked of it.
        tokens: what it will read.
        learn: gradients have to be the same, too.
    """
    if engine.shared is not None:
        return engine, Sharing(spared(tokens), "" if engine.shared else "as before")
    found = Sharing(spared(tokens), _why_not(engine, model, score, tokens, learn))
    return replace(engine, shared=not found.why_not), found


def spared(tokens: TokenPairs) -> float:
    """Part of the tokens of both texts of all pairs that a shared prompt spares."""
    whole = int(tokens.lengths.sum())
    return float(tokens.prompt_lengths.sum()) / whole if whole else 0.0


def _why_not(
    engine: Engine, model: nn.Module, score: Score, tokens: TokenPairs, learn: bool
) -> str:
    """Why prompts are not shared, or nothing."""
    if (part := spared(tokens)) < LEAST:
        return f"to share them would spare {part:.1%} of the tokens"
    config = base_of(model).config
    if not is_causal(config):
        return "the model reads in both directions"
    if (attention := getattr(config, "_attn_implementation", None)) not in ("sdpa", "eager"):
        return f"the attention {attention!r} takes no mask of its own"
    text = config.get_text_config()
    longest = int(tokens.lengths.max())
    for name in ("sliding_window", "attention_chunk_size"):
        window = getattr(text, name, None)
        if window is not None and window < longest:
            return f"the model sees {window} tokens back, and texts have up to {longest}"
    rows = _short_pairs(tokens)
    if not len(rows):
        return "no pair has a prompt and two responses of two tokens"
    try:
        return _difference(engine, model, score, tokens, rows, learn)
    except Exception as error:  # a model of any kind, given a mask that it may not know
        return f"the model takes no mask of its own ({type(error).__name__})"


def _short_pairs(tokens: TokenPairs) -> Ints:
    """Two pairs that show a difference, if there are any: short, and not of one length."""
    sizes = np.column_stack([tokens.prompt_lengths, tokens.response_lengths])
    usable = np.flatnonzero((sizes >= 2).all(axis=1) & ~tokens.identical)
    order = usable[np.argsort(sizes[usable].sum(axis=1), kind="stable")]
    return order[[0, len(order) // 4]] if len(order) > 1 else order


def _difference(
    engine: Engine, model: nn.Module, score: Score, tokens: TokenPairs, rows: Ints, learn: bool
) -> str:
    """What differs between the two ways on these pairs, beyond rounding; or nothing."""
    plain = replace(engine, shared=False, precision=None)
    parameters = [one for one in model.parameters() if one.requires_grad and learn]
    found: list[tuple[Tensor, list[Tensor]]] = []
    with mode(model):
        for way in (plain, replace(plain, shared=True)):
            with torch.set_grad_enabled(bool(parameters)):
                scores = score(model, way.batch(tokens, rows)).double()
            turned = scores * torch.tensor([1.0, -0.7], device=scores.device)
            gradients: list[Any] = []
            if parameters:
                gradients = list(torch.autograd.grad(turned.sum(), parameters, allow_unused=True))
            known = [one for one in gradients if one is not None]
            found.append((scores.detach(), known))
    (before, slopes), (after, turned_slopes) = found
    allowed = rounding(model)
    if not _close(before, after, allowed):
        return "the model's scores would not be the same"
    if len(slopes) != len(turned_slopes):
        return "the model's gradients would not be the same"
    apart = sum(float((a - b).square().sum()) for a, b in zip(slopes, turned_slopes, strict=True))
    size = sum(float(one.square().sum()) for one in slopes)
    if not apart <= (_OF_GRADIENTS * allowed) ** 2 * size:
        return "the model's gradients would not be the same"
    return ""


def _close(one: Tensor, other: Tensor, part: float) -> bool:
    return float((one - other).abs().max()) <= part * float(one.abs().max())
