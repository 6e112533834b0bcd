"""The contract itself: `prompt`, `response_a`, `response_b`, `label` = P(a preferred)."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.data.readers import Reader, Record, Row
from surefoot.data.readers.numbered import judged

_SIDES = ("response_a", "response_b")


def _rows(record: Record) -> Iterator[Row]:
    yield judged(record, _SIDES, "label")


READER = Reader(
    name="contract",
    accepts="prompt, response_a, response_b, label (P(a preferred) in [0, 1], or 'a', 'b', 'tie')",
    columns=("prompt", *_SIDES, "label", "score_a", "score_b"),
    recognises=lambda columns, _: columns >= {*_SIDES, "label"},
    rows=_rows,
    example={"prompt": "p", "response_a": "x", "response_b": "y", "label": 1},
)
