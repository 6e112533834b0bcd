"""Log-probabilities of tokens without the logits of all of them at once.

Of K tokens and a vocabulary of V the logits are (K, V): with V = 250,000 more than all else that a
step holds. Here they are made for some tokens at a time, and again in the backward pass, from the
hidden states (K, D) that the head of the model reads. What the model does to them behind its head,
such as a cap, it does itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from surefoot.escaping import warn

#: Logits at a time, at most: 32 MiB in float32. Fewer in all are made at once.
MOST = 2**23
#: Tokens whose logits are compared with those of the whole model.
_COMPARED = 4
#: Models whose head cannot be asked alone.
_WHOLE: WeakSet[nn.Module] = WeakSet()


def token_log_probs(
    model: nn.Module, inner: Any, inputs: Mapping[str, Tensor], predicts: Tensor, targets: Tensor
) -> Tensor:
    """Log-probabilities (K,) of the targets (K,), each predicted at a flat position (K,).

    Args:
        model: a causal language model, as it is called.
        inner: the model of transformers inside, below any adapter.
        inputs: that it is given, of B rows with T tokens.
        predicts: positions in (B, T).
        targets: tokens.
    """
    head: nn.Module = inner.get_output_embeddings()
    size = getattr(head, "out_features", None) or inner.config.get_text_config().vocab_size
    at_once = max(MOST // max(size, 1), _COMPARED)
    if len(targets) <= at_once or model in _WHOLE:
        return _log_probs(_logits(model, head, inputs, _picked(predicts)), targets)
    states: list[Tensor] = []

    def keep(given: Tensor) -> Tensor:
        states.append(_picked(predicts)(given))
        return states[0][:, :_COMPARED]

    whole = _logits(model, head, inputs, keep)

    def part(some: Tensor, wanted: Tensor) -> Tensor:
        return _log_probs(_of_states(model, inner, head, some), wanted)

    try:
        with torch.no_grad():
            alone = _of_states(model, inner, head, states[0][:, :_COMPARED])
        same = torch.allclose(alone.float(), whole.float(), rtol=1e-2, atol=1e-3)
    except (TypeError, ValueError, AttributeError, RuntimeError):  # its parts are put otherwise
        same = False
    if not same:
        _WHOLE.add(model)
        warn("the head of this model cannot be asked alone: all logits are made at once.", 3)
        return token_log_probs(model, inner, inputs, predicts, targets)
    cuts = zip(states[0].split(at_once, dim=1), targets.split(at_once), strict=True)
    return torch.cat([checkpoint(part, *cut, use_reentrant=False) for cut in cuts])


def _picked(predicts: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda states: states.flatten(0, 1)[predicts].unsqueeze(0)  # (B, T, D) to (1, K, D)


def _log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    said = at_least_single(logits.flatten(0, -2))
    return -nn.functional.cross_entropy(said, targets, reduction="none")


def _logits(
    model: nn.Module, head: nn.Module, inputs: Mapping[str, Tensor], of: Callable[[Tensor], Tensor]
) -> Tensor:
    """Logits of a model whose head is given something made of its states."""

    def give(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        states, *rest = given
        return (of(states), *rest)

    with head.register_forward_pre_hook(give):
        found: Tensor = model(**inputs, use_cache=False).logits
    return found


def _of_states(model: nn.Module, inner: Any, head: nn.Module, states: Tensor) -> Tensor:
    """Logits (1, K, V) of states (1, K, D), by the head and what follows it."""
    ids = torch.zeros(states.shape[:2], dtype=torch.long, device=states.device)
    with _without_layers(inner, states):
        return _logits(model, head, {"input_ids": ids}, lambda given: states)


@contextmanager
def _without_layers(inner: Any, states: Tensor) -> Iterator[None]:
    """Let the layers below the head return these states at once."""
    from transformers.modeling_outputs import (
        BaseModelOutputWithPastAndCrossAttentions,
    )  # takes seconds

    body = inner.base_model
    before = vars(body).get("forward")
    vars(body)["forward"] = lambda *given, **named: BaseModelOutputWithPastAndCrossAttentions(
        last_hidden_state=states
    )
    try:
        yield
    finally:
        del vars(body)["forward"]
        vars(body).update({} if before is None else {"forward": before})


def at_least_single(values: Tensor) -> Tensor:
    """Values of half precision in float32, others as they are."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
