"""OpenAI's preference files: `input`, `preferred_output`, `non_preferred_output`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surefoot.data.readers import CARRIED, Reader, Record, Row, first_of, get, messages
from surefoot.data.readers.chosen_rejected import chosen_first
from surefoot.data.text import Message
from surefoot.errors import DataError

_CHOSEN = ("preferred_output", "preferred_completion")
_REJECTED = ("non_preferred_output", "non_preferred_completion")


def _rows(record: Record) -> Iterator[Row]:
    given = record.inside("input", "prompt")
    if not isinstance(given, Record):
        raise DataError("'input' should be a mapping that holds 'messages'")
    prompt = messages(get(given, "messages"), "user", "input.messages")
    row = chosen_first(
        record,
        prompt,
        _side(record, _CHOSEN, "response_a"),
        _side(record, _REJECTED, "response_b"),
    )
    for name in ("tools", "functions"):
        if given.given(name):
            row["tools"] = given[name]
    yield row | {"conversational": True}


def _side(record: Record, names: Sequence[str], became: str) -> list[Message]:
    name = first_of(record, names) or names[0]
    return messages(get(record, name, became), "assistant", name)


READER = Reader(
    name="OpenAI preferences",
    accepts="input (a mapping with messages, and tools), preferred_output, non_preferred_output",
    columns=("input", *_CHOSEN, *_REJECTED, *CARRIED),
    recognises=lambda columns, _: any(columns >= {"input", name} for name in _CHOSEN),
    rows=_rows,
    example={
        "input": {"messages": [{"role": "user", "content": "p"}]},
        "preferred_output": [{"role": "assistant", "content": "x"}],
        "non_preferred_output": [{"role": "assistant", "content": "y"}],
    },
    rank=0,
)
