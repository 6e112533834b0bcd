"""Rows of Arrow tables: from Parquet files and saved data sets, measured before they are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from surefoot.arrays import Floats
from surefoot.boundary.limits import ROW_BYTES, TOO_LARGE

#: Rows of a table that are looked at together.
AT_ONCE = 256

_TEXTS = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())

Record = Mapping[str, Any]


class Numbered(NamedTuple):
    """A record and where it stands, or why there is none.

    `row` is 1-based: the line of a JSON lines file (empty lines count), the record elsewhere (the
    header of a CSV file does not count).
    """

    row: int
    record: Record | None
    reason: str = ""


def arrow_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[Numbered]:
    """The rows of a table, one after the other; those that are too large or odd are faults.

    Texts may be dictionary-encoded, so that what repeats is held once.
    """
    row = 0
    for batch in batches:
        sizes = sum((_sizes(column) for column in batch.columns), np.zeros(len(batch)))
        step = max(1, len(batch)) if sizes.sum() <= ROW_BYTES else 1  # mostly all at once
        for start in range(0, len(batch), step):
            if sizes[start : start + step].sum() > ROW_BYTES:
                yield Numbered(row + 1, None, TOO_LARGE)
            else:
                yield from _converted(batch.slice(start, step), row)
            row += step


def _converted(batch: pa.RecordBatch, before: int) -> list[Numbered]:
    try:
        rows = batch.to_pylist()
        for name in (field.name for field in batch.schema if pa.types.is_nested(field.type)):
            for one in rows:
                one[name] = _without_nulls(one[name])
        return [Numbered(before + i, one) for i, one in enumerate(rows, start=1)]
    except (pa.ArrowException, ValueError, OverflowError) as error:
        # A value that Python has no place for: a date after the year 9999, a name that stands
        # twice in a mapping, bytes that are no UTF-8.
        if len(batch) > 1:
            parts = (_converted(batch.slice(i, 1), before + i) for i in range(len(batch)))
            return [row for (row,) in parts]
        return [Numbered(before + 1, None, f"a value cannot be read: {error}")]


def _without_nulls(value: Any) -> Any:
    """A value whose mappings lack the keys that are null.

    A table gives each mapping in a column the keys of all others, so that an argument of one tool
    call stands, as null, in the calls of every other tool.
    """
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return list(map(_without_nulls, value)) if isinstance(value, list) else value


def _sizes(column: pa.Array) -> Floats:
    """About how many bytes each value of a column takes when it is written out."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        entries = _sizes(column.dictionary)
        chosen = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return entries[chosen] if len(entries) else np.zeros(len(column))
    if kind in _TEXTS:
        return np.asarray(pc.fill_null(pc.binary_length(column), 0), dtype=np.float64)
    if pa.types.is_struct(kind):
        fields = (_sizes(column.field(i)) for i in range(kind.num_fields))
        return sum(fields, np.full(len(column), 8.0))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        sums = np.concatenate([[0.0], np.cumsum(8.0 + _sizes(column.values))])
        ends = np.asarray(column.offsets)
        return sums[ends[1:]] - sums[ends[:-1]]
    return np.full(len(column), 8.0)
