"""What is inside a file: records one at a time, from JSON lines, JSON, CSV, TSV, Parquet, Arrow.

The form is known by content (and only then by the file's name), gzipped or not. Nothing here holds
more than one record, or some rows of Parquet, in memory; what is larger or deeper than
:mod:`surefoot.boundary.limits` allows is a fault of its row.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from surefoot.boundary import json_texts
from surefoot.boundary.json_texts import json_value
from surefoot.boundary.limits import COLUMNS, NAME_LENGTH, ROW_BYTES, TOO_LARGE
from surefoot.data.sources.tables import AT_ONCE, Numbered, arrow_rows
from surefoot.errors import DataError

#: Endings of the files that can be read, each also with `.gz`.
EXTENSIONS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")

FORMS = "JSON lines, a JSON array, CSV, TSV, Parquet or Arrow, gzipped or not"

_MARK_OF_UTF8 = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Bytes of a row group, unpacked, up to which hundreds of its rows are read at once.
_SMALL = 1 << 30
_TOO_WIDE = f"more than {COLUMNS:,} columns, or a name of more than {NAME_LENGTH:,} characters"


def records(path: Path) -> Iterator[Numbered]:
    """All records of a file, in order, with damaged ones marked.

    Raises:
        DataError: the file cannot be read at all, or not past some record.
    """
    row = 0
    try:
        with _opened(path) as stream:
            for numbered in _FORMS[_form(path, stream)](path, stream):
                row = numbered.row
                yield numbered
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: the gzip file is damaged or cut short after row {row} ({error}). "
            "Copy or download it again."
        ) from None
    except (pa.ArrowException, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read past row {row}: {error}.") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.") from None
    if not row:
        raise DataError(f"{path} holds no rows.")


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return io.BufferedReader(gzip.open(path)) if packed else path.open("rb")


def ending_of(path: Path) -> str:
    """The last ending of a file's name, as `.jsonl`, but for `.gz`; empty for none."""
    endings = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return endings[-1] if endings else ""


#: Forms by how their files begin.
_BEGINS = {
    **{b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"},
    **{b"[": "json", b"{": "jsonl"},
}


def _form(path: Path, stream: IO[bytes]) -> str:
    """Which reader a file needs, by its first bytes and, for plain text, its name."""
    head = stream.peek(4096)  # type: ignore[attr-defined]
    start = head.lstrip(b" \t\r\n" + _MARK_OF_UTF8)
    named = ending_of(path).lstrip(".").replace("ndjson", "jsonl")
    if not start:
        raise DataError(f"{path} is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is in UTF-16. Save it as UTF-8.")
    form = next((form for begins, form in _BEGINS.items() if start.startswith(begins)), "text")
    if form not in ("parquet", "arrow") and b"\0" in head:
        raise DataError(f"{path} is a binary file. Accepted: {FORMS}.")
    if form == "text" and named in ("csv", "tsv"):
        return named
    if form == "text" or (named in ("csv", "tsv", "parquet", "arrow") and named != form):
        what = {"text": "plain text", "json": "JSON", "jsonl": "JSON"}.get(form, form)
        raise DataError(
            f"{path}: the name says {named or 'nothing of its form'}, the content is {what}. "
            f"Rename or convert it; accepted: {FORMS}."
        )
    return form


def _json_lines(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    for row, piece in enumerate(json_texts.lines(stream), start=1):
        line = piece.text.removeprefix(_MARK_OF_UTF8).strip()
        if line or piece.problem:
            yield _parsed(row, line, piece.problem, " (is one row spread over several lines?)")


def _json_array(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    if stream.peek(3).startswith(_MARK_OF_UTF8):  # type: ignore[attr-defined]
        stream.read(3)
    row = 0
    try:
        for row, piece in enumerate(json_texts.items(stream), start=1):
            yield _parsed(row, piece.text, piece.problem)
    except DataError as error:
        raise DataError(
            f"{path}: the JSON array breaks off or is malformed after row {row} ({error})."
        ) from None


def _parsed(row: int, text: bytes, problem: str, hint: str = "") -> Numbered:
    if problem:
        return Numbered(row, None, problem)
    try:
        record = json_value(text)
    except DataError as error:
        return Numbered(row, None, f"{error}{hint if row == 1 else ''}")
    if not isinstance(record, dict):
        return Numbered(row, None, f"a row should be a JSON object; got {type(record).__name__}")
    return Numbered(row, None, _TOO_WIDE) if _too_wide(record) else Numbered(row, record)


def _too_wide(names: Collection[str]) -> bool:
    return len(names) > COLUMNS or any(len(name) > NAME_LENGTH for name in names)


def _delimited(path: Path, stream: IO[bytes], delimiter: str) -> Iterator[Numbered]:
    """Rows of CSV. Bytes that are not UTF-8 become lone surrogates, a fault of the one row."""
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    size = row = 0

    def lines() -> Iterator[str]:  # of which the reader joins several where a quote is open
        nonlocal size
        while line := text.readline(ROW_BYTES):
            size += len(line)
            if size >= ROW_BYTES:
                raise csv.Error(f"the next row is {TOO_LARGE} (is a quote left open?)")
            yield line

    limit = csv.field_size_limit(ROW_BYTES)
    try:
        table = csv.reader(lines(), delimiter=delimiter, strict=True)
        header = next(table)
        _check_names(path, header)
        for cells in table:
            size = 0
            if not cells:
                continue
            row += 1
            if len(cells) != len(header):
                yield Numbered(row, None, f"{len(cells)} cells under a header of {len(header)}")
            elif _SURROGATE.search("".join(cells)):
                yield Numbered(row, None, "text that is not valid Unicode (UTF-8)")
            else:
                yield Numbered(row, dict(zip(header, cells, strict=True)))
    finally:
        csv.field_size_limit(limit)


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Names of columns: sound, not too many or too long, and each once."""
    if _too_wide(names):
        raise DataError(f"{path}: {_TOO_WIDE}.")
    if any(_SURROGATE.search(name) for name in names):
        raise DataError(f"{path}: the name of a column is not valid Unicode (UTF-8).")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(f"{path}: the header names {', '.join(twice[:5])} twice.")


def _parquet(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    found = pq.ParquetFile(stream)
    _check_names(path, found.schema_arrow.names)
    # Texts that repeat stay in the dictionary that the file keeps them in: a small file cannot
    # become a large table before a row of it was measured.
    columns = (found.schema.column(i) for i in range(len(found.schema)))
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    groups = (found.metadata.row_group(i) for i in range(found.metadata.num_row_groups))
    small = max((group.total_byte_size for group in groups), default=0) <= _SMALL
    stream.seek(0)
    table = pq.ParquetFile(stream, read_dictionary=texts, buffer_size=1 << 20)
    yield from arrow_rows(table.iter_batches(batch_size=AT_ONCE if small else 8))


def _arrow(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    """The streams that `datasets` writes, or files of the same format with a footer."""
    in_file = stream.peek(6).startswith(b"ARROW1")  # type: ignore[attr-defined]
    table = pa.ipc.open_file(stream) if in_file else pa.ipc.open_stream(stream)
    _check_names(path, table.schema.names)
    batches = map(table.get_batch, range(table.num_record_batches)) if in_file else table
    yield from arrow_rows(
        batch.slice(start, AT_ONCE)
        for batch in batches
        for start in range(0, batch.num_rows, AT_ONCE)
    )


_FORMS = {
    "jsonl": _json_lines,
    "json": _json_array,
    "csv": lambda path, stream: _delimited(path, stream, ","),
    "tsv": lambda path, stream: _delimited(path, stream, "\t"),
    "parquet": _parquet,
    "arrow": _arrow,
}
