r"""Anthropic's HH text: whole dialogues as `\n\nHuman: ...\n\nAssistant: ...` in both columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from surefoot.data.readers import CARRIED, Reader, Record, Row, get
from surefoot.data.readers.chosen_rejected import chosen_first
from surefoot.data.reading.dialogues import part
from surefoot.data.text import Message, describe, sound
from surefoot.errors import DataError

_TURN = re.compile(r"(?:^\s*|\n\n)(Human|Assistant):")
_START = re.compile(r"\s*(?:Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def _rows(record: Record) -> Iterator[Row]:
    chosen = _text(record, "chosen", "response_a")
    rejected = _text(record, "rejected", "response_b")
    if record.look("prompt") is not None:  # the transcript so far: put it back in front
        prompt = _text(record, "prompt", "prompt")
        chosen, rejected = (
            text if _START.match(text) else f"{_open(prompt)}{text}" for text in (chosen, rejected)
        )
    yield chosen_first(
        record, *part(_dialogue(chosen, "chosen"), _dialogue(rejected, "rejected"))
    ) | {"conversational": True}


def _text(record: Record, name: str, became: str) -> str:
    value = get(record, name, became)
    if not isinstance(value, str):
        raise DataError(f"{name!r} should be text; got {describe(value)}")
    return value


def _open(prompt: str) -> str:
    """The prompt with an assistant's turn open at its end."""
    return prompt if prompt.rstrip().endswith("Assistant:") else f"{prompt}\n\nAssistant:"


def _dialogue(text: str, name: str) -> list[Message]:
    before, *turns = _TURN.split(text)
    if before.strip() or not turns:
        raise DataError(f"{name!r} does not begin with 'Human:' or 'Assistant:'")
    return [
        Message(role=_ROLES[speaker], content=sound(said.strip()))
        for speaker, said in zip(turns[::2], turns[1::2], strict=True)
    ]


def _recognises(columns: AbstractSet[str], sample: Sequence[Mapping[str, Any]]) -> bool:
    name = "prompt" if "prompt" in columns else "chosen"
    texts = [record[name] for record in sample if isinstance(record.get(name), str)]
    found = sum(1 for text in texts if _START.match(text))
    return columns >= {"chosen", "rejected"} and found > len(texts) / 2


READER = Reader(
    name="Anthropic HH",
    accepts=r"chosen, rejected as text with turns '\n\nHuman:' and '\n\nAssistant:'",
    columns=("prompt", "chosen", "rejected", *CARRIED),
    recognises=_recognises,
    rows=_rows,
    example={"chosen": "\n\nHuman: p\n\nAssistant: x", "rejected": "\n\nHuman: p\n\nAssistant: y"},
    rank=2,
)
