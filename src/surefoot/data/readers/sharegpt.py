"""ShareGPT: `conversations` (the prompt's turns) with `chosen` and `rejected`."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.data.readers import CARRIED, Reader, Record, Row, get, messages
from surefoot.data.readers.chosen_rejected import chosen_first
from surefoot.errors import DataError


def _rows(record: Record) -> Iterator[Row]:
    prompt = messages(get(record, "conversations", "prompt"), "user", "conversations")
    chosen = messages(get(record, "chosen", "response_a"), "assistant", "chosen")
    rejected = messages(get(record, "rejected", "response_b"), "assistant", "rejected")
    if not chosen or not rejected:
        raise DataError("'chosen' or 'rejected' has no messages")
    yield chosen_first(record, prompt, chosen, rejected) | {"conversational": True}


READER = Reader(
    name="ShareGPT",
    accepts="conversations, chosen, rejected with from/value (or role/content)",
    columns=("conversations", "chosen", "rejected", *CARRIED),
    recognises=lambda columns, _: columns >= {"conversations", "chosen", "rejected"},
    rows=_rows,
    example={
        "conversations": [{"from": "human", "value": "p"}],
        "chosen": {"from": "gpt", "value": "x"},
        "rejected": {"from": "gpt", "value": "y"},
    },
    rank=1,
)
