"""Chatbot Arena: two models' conversations with one user, and who won."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from surefoot.data.readers import CARRIED, Reader, Record, Row, first_of, get, messages
from surefoot.data.reading import fields
from surefoot.data.reading.dialogues import part
from surefoot.data.text import Message
from surefoot.errors import DataError

_CONVERSATIONS = ("conversation_a", "conversation_b")
#: One column for each outcome, of which one is 1.
_OUTCOMES = {"winner_model_a": 1.0, "winner_model_b": 0.0, "winner_tie": 0.5}
_TIMES = ("time", "tstamp", "timestamp")
_IDS = ("id", "question_id", "conversation_id", "evaluation_session_id")


def _rows(record: Record) -> Iterator[Row]:
    if _CONVERSATIONS[0] in record:
        a, b = (
            messages(get(record, name, side), "user", name)
            for name, side in zip(_CONVERSATIONS, ("response_a", "response_b"), strict=True)
        )
    else:
        a, b = (_turns(record, side) for side in ("response_a", "response_b"))
    if not a or not b:
        raise DataError("a conversation has no messages")
    row: Row = {**part(a, b)._asdict(), "conversational": True, "label_from": "label"}
    row["label"] = _label(record)
    for became, names in (("time", _TIMES), ("id", _IDS)):
        if name := first_of(record, names):
            row[became] = record.use(name, became)
    yield row


def _turns(record: Record, side: str) -> list[Message]:
    """A conversation from the texts of the user and those of one model, each in a list."""
    asked = fields.listed(get(record, "prompt", "prompt"), "prompt")
    answered = fields.listed(get(record, side, side), side)
    if len(asked) != len(answered):
        raise DataError(f"'prompt' has {len(asked)} turns and {side!r} {len(answered)}")
    texts = [text for pair in zip_longest(asked, answered) for text in pair]
    return [
        turn
        for i, text in enumerate(texts)
        for turn in messages(_text(text, side), ("user", "assistant")[i % 2], side)
    ]


def _text(value: Any, side: str) -> str:
    if not isinstance(value, str):
        raise DataError(f"a turn of 'prompt' or {side!r} is null")
    return value


def _label(record: Record) -> float:
    if record.given("winner") or not any(record.given(name) for name in _OUTCOMES):
        record.account.became["winner"] = "label"
        return record.preference("winner", _CONVERSATIONS)
    shares = {
        name: fields.number(record.use(name, "label"), name, 0.0, 1.0)
        for name in _OUTCOMES
        if record.given(name)
    }
    total = sum(shares.values())
    if not total:
        return record.without(f"{', '.join(shares)} are all 0")
    if total != 1:
        raise DataError(f"{', '.join(shares)} should sum to 1; got {total:g}")
    record.compares(", ".join(shares), list(shares.values()), "1 for what was chosen")
    return sum(_OUTCOMES[name] * share for name, share in shares.items())


READER = Reader(
    name="Chatbot Arena",
    accepts=(
        "conversation_a, conversation_b (messages that begin with the prompt) and winner; or "
        "prompt, response_a, response_b (lists of turns) and winner_model_a, winner_model_b, "
        "winner_tie"
    ),
    columns=(*_CONVERSATIONS, "winner", *_OUTCOMES, *CARRIED),
    recognises=lambda columns, _: (
        columns >= set(_CONVERSATIONS)
        or columns >= {"prompt", "response_a", "response_b", *list(_OUTCOMES)[:2]}
    ),
    rows=_rows,
    example={
        "conversation_a": [
            {"role": "user", "content": "p"},
            {"role": "assistant", "content": "x"},
        ],
        "conversation_b": [
            {"role": "user", "content": "p"},
            {"role": "assistant", "content": "y"},
        ],
        "winner": "model_a",
    },
    rank=0,
)
