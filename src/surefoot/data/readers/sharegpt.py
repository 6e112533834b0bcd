"""ShareGPT: `conversations` (the prompt's turns) with `chosen` and `rejected`."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.data import fields
from surefoot.data.readers import CARRIED, Reader, Record, Row, get, messages
from surefoot.data.readers.chosen_rejected import chosen_first
from surefoot.errors import DataError


def _rows(record: Record) -> Iterator[Row]:
    prompt = messages(get(record, "conversations"), "user", "conversations")
    system = record.get("system")
    if not fields.missing(system) and not (prompt and prompt[0]["role"] == "system"):
        prompt = messages(system, "system", "system") + prompt
    chosen = messages(get(record, "chosen"), "assistant", "chosen")
    rejected = messages(get(record, "rejected"), "assistant", "rejected")
    if not chosen or not rejected:
        raise DataError("'chosen' or 'rejected' has no messages")
    yield chosen_first(record, prompt, chosen, rejected) | {"conversational": True}


READER = Reader(
    name="ShareGPT",
    accepts="conversations, chosen, rejected with from/value (or role/content); optional system",
    columns=("conversations", "chosen", "rejected", "system", *CARRIED),
    recognises=lambda columns, _: columns >= {"conversations", "chosen", "rejected"},
    rows=_rows,
    rank=1,
)
