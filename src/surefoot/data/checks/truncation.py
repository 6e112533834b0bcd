"""Pairs that become equal when a model cuts them at its length: they teach nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from jinja2 import TemplateError

from surefoot.data.checks.report import Finding
from surefoot.data.checks.scan import Context, Unchecked
from surefoot.data.text import Message, to_text

_BATCH = 128


def truncation(context: Context) -> Iterator[Finding | Unchecked]:
    """Sides longer than the model takes, and pairs that differ only beyond that."""
    tokenizer, limit = context.tokenizer, context.max_length
    if tokenizer is None or limit is None:
        yield Unchecked(
            "truncation: no tokenizer and length were given, so pairs that a model would cut to "
            "the same tokens are not known."
        )
        return
    n = len(context.preferences)
    cut, equal, refused = (np.zeros(n, dtype=bool) for _ in range(3))
    chat = getattr(tokenizer, "chat_template", None) is not None
    rows = context.preferences.read("conversational", "prompt", "response_a", "response_b")
    done = 0
    while batch := list(islice(rows, _BATCH)):
        texts: list[str] = []
        for i, (turns, prompt, *sides) in enumerate(batch, start=done):
            rendered, ok = _rendered(tokenizer if chat and turns else None, prompt, sides)
            texts += rendered
            refused[i] = not ok
        # One token more than fits tells whether something is cut off.
        tokens = tokenizer(texts, truncation=True, max_length=limit + 1)["input_ids"]
        for i, (a, b) in enumerate(zip(tokens[::2], tokens[1::2], strict=True), start=done):
            cut[i] = max(len(a), len(b)) > limit
            equal[i] = cut[i] and a[:limit] == b[:limit]
        done += len(batch)
    yield from context.finding(
        "identical-after-truncation",
        "error",
        equal,
        f"Cut to their first {limit} tokens, both sides are equal: the pair teaches nothing.",
        "Raise the length, or drop these rows.",
    )
    yield from context.finding(
        "truncated",
        "note",
        cut & ~equal,
        f"Prompt and response together have more than {limit} tokens, and the end is cut off.",
        "Raise the length if the end matters, or drop these rows.",
    )
    yield from context.finding(
        "chat-template-refuses",
        "warning",
        refused,
        "The tokenizer's chat template refuses these turns (often two of one speaker in a row, or "
        "a system turn).",
        "Merge or drop such turns. Here the lengths were counted on plain text.",
    )


def _rendered(
    tokenizer: Any, prompt: list[Message], sides: list[list[Message]]
) -> tuple[list[str], bool]:
    """Both full texts as the model sees them, and whether its template (if any) took them."""
    if tokenizer is not None:
        try:
            return [tokenizer.apply_chat_template(prompt + s, tokenize=False) for s in sides], True
        except TemplateError:
            return [f"{to_text(prompt)}\n\n{to_text(side)}" for side in sides], False
    return [f"{to_text(prompt)}\n\n{to_text(side)}" for side in sides], True
