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
    added = tokenizer.num_special_tokens_to_add()  # a chat template has written its own
    rows = context.preferences.read("conversational", "prompt", "response_a", "response_b")
    done = 0
    while batch := list(islice(rows, _BATCH)):
        texts: list[str] = []
        room = []
        for i, (turns, prompt, *sides) in enumerate(batch, start=done):
            rendered = _chat(tokenizer, prompt, sides) if chat and turns else None
            refused[i] = bool(chat and turns and rendered is None)
            texts += rendered or [f"{to_text(prompt)}\n\n{to_text(side)}" for side in sides]
            room.append(limit if rendered else max(limit - added, 0))
        # One token more than fits tells whether something is cut off.
        tokens = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=limit + 1)[
            "input_ids"
        ]
        for i, (fits, a, b) in enumerate(zip(room, tokens[::2], tokens[1::2], strict=True), done):
            cut[i] = max(len(a), len(b)) > fits
            equal[i] = cut[i] and a[:fits] == b[:fits]
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


def _chat(tokenizer: Any, prompt: list[Message], sides: list[list[Message]]) -> list[str] | None:
    """Both full texts as the tokenizer's chat template writes them, unless it refuses the turns."""
    try:
        return [tokenizer.apply_chat_template(prompt + side, tokenize=False) for side in sides]
    except TemplateError:
        return None
