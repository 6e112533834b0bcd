"""Responses written by a policy: a minimum length, and special tokens banned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from pydantic import Field

from surefoot.demo.language import GAP
from surefoot.options import Options

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class GenerationOptions(Options):
    """How responses are written: drawn from the policy as it is, without cutting its tail."""

    min_new_tokens: int = Field(24, ge=1)
    """Tokens before a response may end; an empty one would please a length-averse judge."""
    max_new_tokens: int = Field(160, ge=1)
    """Tokens at most; the world's longest response has fewer."""
    responses: int = Field(2, ge=1)
    """Responses to each prompt."""
    batch: int = Field(256, ge=1)
    """Responses written at a time."""


@dataclass(frozen=True)
class Written:
    """One response.

    Attributes:
        prompt: what it answers.
        text: the response.
        tokens: its length, the end token not counted.
        finished: it ended by itself.
    """

    prompt: str
    text: str
    tokens: int
    finished: bool


def write_responses(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    options: GenerationOptions,
    seed: int,
) -> list[Written]:
    """Responses to every prompt, those to one prompt together.

    Padding and the beginning of a text are never written, its end not before the minimum.
    """
    asked = [prompt for prompt in prompts for _ in range(options.responses)]
    order = sorted(range(len(asked)), key=lambda i: len(asked[i]))
    found: dict[int, Written] = {}
    torch.manual_seed(seed)
    model.eval()
    for start in range(0, len(order), options.batch):
        rows = order[start : start + options.batch]
        given = [tokenizer(asked[i] + GAP)["input_ids"] for i in rows]
        new = _continue(model, tokenizer, given, options)
        for i, ids in zip(rows, new, strict=True):
            finished = tokenizer.eos_token_id in ids
            kept = ids[: ids.index(tokenizer.eos_token_id)] if finished else ids
            text = tokenizer.decode(kept, clean_up_tokenization_spaces=False)
            found[i] = Written(asked[i], text, len(kept), finished)
    return [found[i] for i in range(len(asked))]


def _continue(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    given: list[list[int]],
    options: GenerationOptions,
) -> list[list[int]]:
    """New tokens after each sequence."""
    from transformers import GenerationConfig

    padded = tokenizer.pad({"input_ids": given}, padding_side="left", return_tensors="pt")
    config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        min_new_tokens=options.min_new_tokens,
        max_new_tokens=options.max_new_tokens,
        suppress_tokens=[tokenizer.pad_token_id, tokenizer.bos_token_id],
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.no_grad():
        whole = model.generate(**padded.to(model.device), generation_config=config)
    new: list[list[int]] = whole[:, padded["input_ids"].shape[1] :].tolist()
    return new
