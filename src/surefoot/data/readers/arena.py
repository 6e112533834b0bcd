"""Chatbot Arena: two models' conversations with one user, and who won."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle

from surefoot.data.readers import Reader, Record, Row, get
from surefoot.data.reading import fields
from surefoot.data.reading.contract import AUTHORS, first_of, written_by
from surefoot.data.reading.dialogues import part
from surefoot.data.text import Message, messages
from surefoot.errors import DataError

_CONVERSATIONS, _SIDES = ("conversation_a", "conversation_b"), ("response_a", "response_b")
#: One column for each outcome, of which one is 1.
_OUTCOMES = {"winner_model_a": 1.0, "winner_model_b": 0.0, "winner_tie": 0.5}
_TIMES = ("time", "tstamp", "timestamp")
_IDS = ("id", "question_id", "conversation_id", "evaluation_session_id")


def _rows(record: Record) -> Iterator[Row]:
    if _CONVERSATIONS[0] in record:
        a, b = (
            messages(get(record, name, side), "user", name)
            for name, side in zip(_CONVERSATIONS, _SIDES, strict=True)
        )
    else:
        a, b = (_turns(record, side) for side in _SIDES)
    if not a or not b:
        raise DataError("a conversation has no messages")
    row: Row = {**part(a, b)._asdict(), "conversational": True}
    row |= {"label": _label(record), "label_from": "label"}
    row |= written_by(record, record.author_columns(_SIDES))
    for became, names in (("time", _TIMES), ("id", _IDS)):
        if name := first_of(record, names):
            row[became] = record.use(name, became)
    yield row


def _turns(record: Record, side: str) -> list[Message]:
    """A conversation from the texts of the user and those of one model, each in a list."""
    asked, answered = (fields.listed(get(record, name, name), name) for name in ("prompt", side))
    if len(asked) != len(answered):
        raise DataError(f"'prompt' has {len(asked)} turns and {side!r} {len(answered)}")
    turns: list[Message] = []
    texts = chain.from_iterable(zip(asked, answered, strict=True))
    for role, text in zip(cycle(("user", "assistant")), texts, strict=False):
        if not isinstance(text, str):
            raise DataError(f"a turn of 'prompt' or {side!r} is null")
        turns += messages(text, role, side)
    return turns


def _label(record: Record) -> float:
    if record.given("winner") or not any(record.given(name) for name in _OUTCOMES):
        return record.preference("winner", _CONVERSATIONS)
    shares = {
        name: fields.number(record.use(name, "label"), name, 0.0, 1.0)
        for name in _OUTCOMES
        if record.given(name)
    }
    total = sum(shares.values())
    if not total:
        return record.without(f"{', '.join(shares)} are all 0")
    if abs(total - 1) > 1e-6:
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
    columns=(*_CONVERSATIONS, "winner", *_OUTCOMES, *AUTHORS),
    recognises=lambda columns, _: (
        columns >= set(_CONVERSATIONS) or columns >= {"prompt", *_SIDES, *list(_OUTCOMES)[:2]}
    ),
    rows=_rows,
    example={
        f"conversation_{side}": [
            {"role": "user", "content": "p"},
            {"role": "assistant", "content": said},
        ]
        for side, said in (("a", "x"), ("b", "y"))
    }
    | {"winner": "model_a"},
)
