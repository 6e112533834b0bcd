"""What a small policy writes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from surefoot.data.rendering.tokens import TokenReader
from surefoot.data.text import Message, Prompt
from surefoot.scorers.language.generation import continuations, ends_of, response_text
from surefoot.scorers.language.law import SamplingLaw
from surefoot.scorers.language.loading import load_model, load_tokenizer


def written(
    place: str, prompts: Sequence[str], count: int, law: SamplingLaw, batch: int, seed: int
) -> list[list[str]]:
    """As many responses of the policy in a folder to each prompt, some at a time."""
    tokenizer = load_tokenizer(place)
    model = load_model(place, "policy", dtype=torch.float32)
    reader = TokenReader(tokenizer)
    openings = [reader.opening(Prompt([Message(role="user", content=one)])) for one in prompts]
    given = [ids for ids in openings for _ in range(count)]
    torch.manual_seed(seed)
    ends, texts = ends_of(model, tokenizer), []
    for start in range(0, len(given), batch):
        drawn = continuations(model, tokenizer, given[start : start + batch], law)
        texts += [response_text(tokenizer, ids, ends).strip() for ids in drawn]
    return [texts[i : i + count] for i in range(0, len(texts), count)]
