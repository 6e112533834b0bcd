"""The contract itself: `prompt`, `response_a`, `response_b`, `label` = P(a preferred)."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.data import fields
from surefoot.data.readers import CARRIED, Reader, Record, Row, carried, get

_PAIR = ("prompt", "response_a", "response_b")


def _rows(record: Record) -> Iterator[Row]:
    row = {name: get(record, name) for name in _PAIR} | carried(record)
    scores = {name: record.get(name) for name in ("score_a", "score_b")}
    label = fields.preference(get(record, "label"), "label", "probability")
    yield {**row, **scores, "label": label, "label_from": "label"}


READER = Reader(
    name="contract",
    accepts="prompt, response_a, response_b, label (P(a preferred) in [0, 1], or 'a', 'b', 'tie')",
    columns=(*_PAIR, "label", "score_a", "score_b", *CARRIED),
    recognises=lambda columns, _: columns >= {*_PAIR, "label"},
    rows=_rows,
)
