"""Responses written by a policy: a minimum length, and special tokens banned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from pydantic import Field

from surefoot.data.rendering.messages import GAP
from surefoot.scorers.language.generation import SamplingLaw, continuations

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class GenerationOptions(SamplingLaw):
    """How responses are written: by default from the policy as it is, without cutting its tail."""

    min_new_tokens: int = Field(24, ge=1)
    """Tokens before a response may end; an empty one would please a length-averse judge."""
    max_new_tokens: int = Field(160, ge=1)
    """Tokens at most; the world's longest response has fewer."""
    responses: int = Field(2, ge=1)
    """Responses to each prompt."""
    batch: int = Field(256, ge=1)
    """Responses written at a time."""


@dataclass(frozen=True)
class Completion:
    """One response."""

    prompt: str
    text: str
    tokens: int  #: the end token not counted
    finished: bool  #: it ended by itself


def write_responses(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    options: GenerationOptions,
    seed: int,
) -> list[Completion]:
    """Responses to every prompt, those to one prompt together.

    Padding and the beginning of a text are never written, its end not before the minimum.
    """
    asked = [prompt for prompt in prompts for _ in range(options.responses)]
    order = sorted(range(len(asked)), key=lambda i: len(asked[i]))
    completions: dict[int, Completion] = {}
    torch.manual_seed(seed)
    for start in range(0, len(order), options.batch):
        rows = order[start : start + options.batch]
        given = [tokenizer(asked[i] + GAP)["input_ids"] for i in rows]
        for i, ids in zip(rows, continuations(model, tokenizer, given, options), strict=True):
            finished = ids[-1] == tokenizer.eos_token_id
            kept = ids[:-1] if finished else ids
            text = tokenizer.decode(kept, clean_up_tokenization_spaces=False)
            completions[i] = Completion(asked[i], text, len(kept), finished)
    return [completions[i] for i in range(len(asked))]
