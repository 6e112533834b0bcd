r"""Anthropic's HH text: whole dialogues as `\n\nHuman: ...\n\nAssistant: ...` in both columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from surefoot.data.readers import Reader, Record, Row, get
from surefoot.data.readers.chosen_rejected import chosen_first, joined
from surefoot.data.reading.dialogues import part
from surefoot.data.text import Message, describe, sound
from surefoot.errors import DataError

_TURN = re.compile(r"(?:^\s*|\r?\n\r?\n)(Human|Assistant):")
_START = re.compile(r"\s*(?:Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def _rows(record: Record) -> Iterator[Row]:
    texts = {"chosen": "response_a", "rejected": "response_b"}
    texts = {name: _text(record, name, became) for name, became in texts.items()}
    if record.look("prompt") is None:
        parted = part(*(dialogue(text, name) for name, text in texts.items()))
    else:  # the transcript so far
        given = dialogue(_text(record, "prompt", "prompt"), "prompt")
        if given[-1] == {"role": "assistant", "content": ""}:
            given.pop()
        marked = {n: t if _START.match(t) else f"Assistant:{t}" for n, t in texts.items()}
        sides = (dialogue(text, name) for name, text in marked.items())
        whole = [one if one[0]["role"] == "user" else given + one for one in sides]
        parted = joined(record, given, *whole)
    yield chosen_first(record, *parted) | {"conversational": True}


def _text(record: Record, name: str, became: str) -> str:
    value = get(record, name, became)
    if not isinstance(value, str):
        raise DataError(f"{name!r} should be text; got {describe(value)}")
    return value


def dialogue(text: str, name: str) -> list[Message]:
    """Turns of a text.

    Raises:
        DataError: it does not begin with one; the message says which column it is.
    """
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
    least = 1 if name == "prompt" else 2  # turns that are parted by a blank line
    found = sum(1 for text in texts if _START.match(text) and len(_TURN.findall(text)) >= least)
    return columns >= {"chosen", "rejected"} and found > len(texts) / 2


READER = Reader(
    name="Anthropic HH",
    accepts=r"chosen, rejected as text with turns '\n\nHuman:' and '\n\nAssistant:'",
    columns=("prompt", "chosen", "rejected"),
    recognises=_recognises,
    rows=_rows,
    example={"chosen": "\n\nHuman: p\n\nAssistant: x", "rejected": "\n\nHuman: p\n\nAssistant: y"},
    rank=2,
)
