"""Messages in disguise: columns of text that hold messages as JSON or as Python prints them.

Tables without nested values (CSV, `DataFrame.to_csv`, JSON text in a column) write messages so.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surefoot.data.reading.fields import missing, written_value
from surefoot.data.sources.tables import Numbered
from surefoot.data.text import ROLES

#: How numpy writes an array inside another value.
_ARRAY = re.compile(r"^array\((.*?)(?:,\s*dtype=object)?\)$", re.DOTALL)
#: Records that tell which columns are disguised.
_SAMPLE = 100


def disguised_columns(sample: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Columns of which most values in the sample are messages written as text.

    A text that merely looks so among others stays text: it may be an answer about such a format.
    """
    found: Counter[str] = Counter()
    for record in sample:
        for name, value in record.items():
            if not missing(value):
                found[name] += 1 if isinstance(value, str) and parsed_messages(value) else -1
    return frozenset(name for name, more in found.items() if more > 0)


def in_clear(rows: Iterator[Numbered]) -> Iterator[Numbered]:
    """Records whose disguised columns, as the first rows tell, are messages.

    A row that holds something else in such a column is marked as damaged.
    """
    first = list(itertools.islice(rows, _SAMPLE))
    columns = disguised_columns([row.record for row in first if row.record is not None])
    for row in itertools.chain(first, rows):
        yield _in_clear(row, columns) if columns and row.record is not None else row


def _in_clear(row: Numbered, columns: frozenset[str]) -> Numbered:
    record = dict(row.record or {})
    for name, value in record.items():
        if name in columns and isinstance(value, str) and not missing(value):
            record[name] = parsed_messages(value)
            if record[name] is None:
                reason = f"{name!r} should hold messages as text, as in the first rows of the file"
                return Numbered(row.row, None, reason)
    return Numbered(row.row, record)


def parsed_messages(text: str) -> list[dict[str, Any]] | dict[str, Any] | None:
    """A message or a list of messages written as text; None where it is something else.

    >>> parsed_messages("[{'role': 'user', 'content': 'Tea?'}]")
    [{'role': 'user', 'content': 'Tea?'}]
    >>> parsed_messages("[1, 2]")
    """
    stripped = _ARRAY.sub(r"\1", text.strip())
    if stripped[:2] in ('"[', '"{') and isinstance(inner := written_value(stripped), str):
        stripped = inner  # written twice
    if stripped[:1] not in "[{" or stripped[-1:] not in "]}" or not stripped:
        return None
    value = written_value(stripped)
    turns = value if isinstance(value, list) else [value]
    return value if turns and all(map(_is_message, turns)) else None


def _is_message(turn: object) -> bool:
    if not isinstance(turn, dict):
        return False
    speaker = turn.get("role", turn.get("from"))
    said = turn.keys() & {"content", "value", "tool_calls"}
    return isinstance(speaker, str) and speaker.casefold() in ROLES and bool(said)
