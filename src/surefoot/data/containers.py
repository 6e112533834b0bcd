"""What is inside a file: records one at a time, from JSON lines, JSON, CSV, TSV, Parquet, Arrow.

The form is told by content (and only then by the file's name), gzipped or not. Nothing here holds
more than one record, or one Parquet row group slice, in memory.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from surefoot.errors import DataError

#: Endings of the files that can be read, each also with `.gz`.
EXTENSIONS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")

FORMS = "JSON lines, a JSON array, CSV, TSV, Parquet or Arrow, gzipped or not"

#: Rows of a table that are converted at once.
_SLICE = 512

Record = Mapping[str, Any]


class Numbered(NamedTuple):
    """A record and where it stands, or why there is none.

    `row` is 1-based: the line of a JSON lines file (empty lines count), the record elsewhere (the
    header of a CSV file does not count).
    """

    row: int
    record: Record | None
    reason: str = ""


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
    except ijson.JSONError as error:
        raise DataError(
            f"{path}: the JSON array breaks off or is malformed after row {row} "
            f"({' '.join(str(error).split())[:120]})."
        ) from None
    except (pa.ArrowException, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read past row {row}: {error}.") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.") from None
    if not row:
        raise DataError(f"{path} holds no rows.")


def _opened(path: Path) -> IO[bytes]:
    stream = path.open("rb")
    if stream.peek(2)[:2] != b"\x1f\x8b":
        return stream
    stream.close()
    return io.BufferedReader(gzip.open(path))


def _form(path: Path, stream: IO[bytes]) -> str:
    """Which reader a file needs, by its first bytes and, for plain text, its name."""
    head = stream.peek(4096)  # type: ignore[attr-defined]
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    ending = endings[-1].lstrip(".") if endings else ""
    named = {"ndjson": "jsonl"}.get(ending, ending)
    if not head.strip(b" \t\r\n\xef\xbb\xbf"):
        raise DataError(f"{path} is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is in UTF-16. Save it as UTF-8.")
    if head.startswith(b"PAR1"):
        found = "parquet"
    elif head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        found = "arrow"
    elif b"\0" in head:
        raise DataError(f"{path} is a binary file. Accepted: {FORMS}.")
    else:
        first = head.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
        found = {b"[": "json", b"{": "jsonl"}.get(first, "text")
    if found == "text" and named in ("csv", "tsv"):
        return named
    if found == "text" or (named in ("csv", "tsv", "parquet", "arrow") and named != found):
        what = {"text": "plain text", "json": "JSON", "jsonl": "JSON"}.get(found, found)
        raise DataError(
            f"{path}: the name says {named or 'nothing of its form'}, the content is {what}. "
            f"Rename or convert it; accepted: {FORMS}."
        )
    return found


def _json_lines(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    for row, line in enumerate(stream, start=1):
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            continue
        try:
            record = json.loads(line)
        except UnicodeDecodeError as error:
            yield Numbered(row, None, f"not UTF-8 at byte {error.start + 1} of the line")
        except ValueError as error:
            hint = " (is one row spread over several lines?)" if row == 1 else ""
            yield Numbered(row, None, f"not valid JSON: {error}{hint}")
        except RecursionError:
            yield Numbered(row, None, "JSON nested too deeply")
        else:
            yield _numbered(row, record)


def _json_array(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    if stream.peek(3).startswith(b"\xef\xbb\xbf"):  # type: ignore[attr-defined]
        stream.read(3)
    for row, record in enumerate(ijson.items(stream, "item", use_float=True), start=1):
        yield _numbered(row, record)


def _numbered(row: int, record: object) -> Numbered:
    if isinstance(record, dict):
        return Numbered(row, record)
    return Numbered(row, None, f"a row should be a JSON object; got {type(record).__name__}")


def _delimited(path: Path, stream: IO[bytes], delimiter: str) -> Iterator[Numbered]:
    # Bytes that are not UTF-8 become lone surrogates, which later fault the one row they are in.
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    limit = csv.field_size_limit(sys.maxsize)
    try:
        table = csv.reader(text, delimiter=delimiter, strict=True)
        header = next(table)
        twice = {name for name in header if header.count(name) > 1}
        if twice:
            raise DataError(f"{path}: the header names {', '.join(sorted(twice))} twice.")
        for row, cells in enumerate((cells for cells in table if cells), start=1):
            if len(cells) == len(header):
                yield Numbered(row, dict(zip(header, cells, strict=True)))
            else:
                counts = f"{len(cells)} cells under a header of {len(header)}"
                yield Numbered(row, None, counts)
    finally:
        csv.field_size_limit(limit)


def _parquet(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    table = pq.ParquetFile(stream)
    row = 0
    for batch in table.iter_batches(batch_size=_SLICE):
        for record in batch.to_pylist():
            row += 1
            yield Numbered(row, record)


def _arrow(path: Path, stream: IO[bytes]) -> Iterator[Numbered]:
    """The streams that `datasets` writes, or files of the same format with a footer."""
    in_file = stream.peek(6).startswith(b"ARROW1")  # type: ignore[attr-defined]
    table = pa.ipc.open_file(stream) if in_file else pa.ipc.open_stream(stream)
    batches = map(table.get_batch, range(table.num_record_batches)) if in_file else table
    row = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _SLICE):
            for record in batch.slice(start, _SLICE).to_pylist():
                row += 1
                yield Numbered(row, record)


_FORMS = {
    "jsonl": _json_lines,
    "json": _json_array,
    "csv": lambda path, stream: _delimited(path, stream, ","),
    "tsv": lambda path, stream: _delimited(path, stream, "\t"),
    "parquet": _parquet,
    "arrow": _arrow,
}
