"""Cases of `several_processes.py` in which rank 0 alone runs out of memory."""

from __future__ import annotations

import os

import torch
from language_models import gpt2, llama

RANK = int(os.environ.get("RANK", 0))


def fails_once_going_back():
    """Rank 0's first backward pass ends in an error at the parameter that is reached last.

    Two passes are before: they try whether prompts can be shared.
    """
    model = llama()
    passes = []

    def fail(gradient):
        passes.append(1)
        if RANK == 0 and len(passes) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot.")
        return gradient

    model.model.embed_tokens.weight.register_hook(fail)
    return model


def with_an_idle_parameter():
    """One that no forward pass reaches, as an expert that no token is sent to."""
    model = llama()
    model.idle = torch.nn.Parameter(torch.ones(3))
    return model


CHECKPOINTING = {"gradient_checkpointing": True}
CASES = {
    "looking": (llama, {"risk": "cvar"}, {"memory": False, **CHECKPOINTING}),
    "looking, gpt2": (gpt2, {"risk": "cvar"}, {"memory": False, **CHECKPOINTING}),
    "for gradients": (llama, {}, {"memory": True, **CHECKPOINTING}),
    "going back": (fails_once_going_back, {}, {}),
    "going back, with weights": (fails_once_going_back, {"risk": "cvar"}, {"size": 8}),
    "an idle parameter": (with_an_idle_parameter, {}, {"weight_decay": 0.1}),
}
