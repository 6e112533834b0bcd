"""The contract itself: `prompt`, `response_a`, `response_b`, `label` = P(a preferred)."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.data.readers import Reader, Record, Row
from surefoot.data.readers.numbered import judged
from surefoot.data.reading.contract import AUTHORS
from surefoot.data.schema import ORDER

_SIDES = ("response_a", "response_b")


def _rows(record: Record) -> Iterator[Row]:
    row = judged(record, _SIDES, "label")
    if record.look("label_from") == ORDER:  # as surefoot writes it: the better one stands first
        row = {**row, "label_from": record.use("label_from", "label_from")}
    yield row


READER = Reader(
    name="contract",
    accepts="prompt, response_a, response_b, label (P(a preferred) in [0, 1], or 'a', 'b', 'tie')",
    columns=("prompt", *_SIDES, "label", "label_from", "score_a", "score_b", *AUTHORS),
    recognises=lambda columns, _: columns >= {*_SIDES, "label"},
    rows=_rows,
    example={"prompt": "p", "response_a": "x", "response_b": "y", "label": 1},
)
