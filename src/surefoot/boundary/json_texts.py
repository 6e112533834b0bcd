"""JSON from outside: one parser for lines, items of arrays and cells, with limits.

An array is cut into its items before anything is parsed, so that a line of JSON and an item of an
array read alike, and neither memory nor the parser's stack grows with what stands in a file.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from surefoot.boundary.limits import DEPTH, NUMBER_LENGTH, ROW_BYTES, TOO_DEEP, TOO_LARGE
from surefoot.errors import DataError

_CHUNK = 1 << 16
_QUOTE = ord('"')
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?P<closed>"?)'
_DEEP = re.compile(_STRING + rb"|[\[{]+|[\]}]+", re.DOTALL)
_SHALLOW = re.compile(_DEEP.pattern + rb"|,", re.DOTALL)  # of commas, those between items
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BLANK = b" \t\r\n"


class Piece(NamedTuple):
    """The text of one row, or why it was not kept."""

    text: bytes
    problem: str = ""


def json_value(text: str | bytes) -> Any:
    """The value that a JSON text has.

    Raises:
        DataError: it is no JSON, nested too deeply, names a key twice, or holds half a surrogate
            pair; the message says which, without the place.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if raw.count(b"[") + raw.count(b"{") > DEPTH and _depth(raw) > DEPTH:
        raise DataError(f"JSON {TOO_DEEP}")
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_mapping, parse_int=_whole)
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise DataError(f"not valid JSON: {error}") from None
    if _SURROGATE.search(raw):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise DataError("text that is not valid Unicode: half of a surrogate pair") from None
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise DataError(f"JSON that names {twice[:60]!r} twice")
    return made


def _whole(text: str) -> int:
    if len(text) > NUMBER_LENGTH:
        raise DataError(f"a number of {len(text)} digits; at most {NUMBER_LENGTH}")
    return int(text)


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for mark in _DEEP.finditer(raw):
        kind, count = raw[mark.start()], len(mark[0])
        if kind != _QUOTE:
            depth += count if kind in b"[{" else -count
            deepest = max(deepest, depth)
    return deepest


def items(stream: IO[bytes]) -> Iterator[Piece]:
    """The text of each item of a JSON array; a part of an item may be anything.

    Raises:
        DataError: an item is too large, the array does not end, or something follows it.
    """
    before, bracket, buffer = stream.read(_CHUNK).partition(b"[")
    if before.strip(_BLANK) or not bracket:
        raise DataError("it does not begin with a bracket")
    start = place = 0  # of the item in the buffer, and of what was not yet looked at
    depth = deepest = 1
    while depth:
        mark = (_SHALLOW if depth == 1 else _DEEP).search(buffer, place)
        if mark is None or mark["closed"] == b"":  # what stands there is seen with more of it
            place, size = mark.start() if mark else len(buffer), len(buffer) - start
            if size > ROW_BYTES:  # its end may be far, and is not looked for
                raise DataError(f"the next item is {TOO_LARGE}")
            # As much again, so that a long text is not looked through too often.
            more = stream.read(max(_CHUNK, min(size, ROW_BYTES - size)))
            if not more:
                raise DataError("it has no end")
            buffer, place, start = buffer[start:] + more, place - start, 0
            continue
        kind, count, place = buffer[mark.start()], len(mark[0]), mark.end()
        if kind == _QUOTE:
            continue
        if kind in b"[{":
            depth += count
            deepest = max(deepest, depth)
            continue
        if kind in b"]}":
            if count < depth:
                depth -= count
                continue
            place, depth = mark.start() + depth, 0
        item = buffer[start : place - 1]
        if len(item) > ROW_BYTES:
            raise DataError(f"the next item is {TOO_LARGE}")
        if depth or item.strip(_BLANK):
            yield Piece(b"", f"JSON {TOO_DEEP}") if deepest > DEPTH + 1 else Piece(item)
        start, deepest = place, 1
    if buffer[start - 1 : start] != b"]" or buffer[start:].strip(_BLANK):
        raise DataError("something other than its end follows the last item")
    while chunk := stream.read(_CHUNK):
        if chunk.strip(_BLANK):
            raise DataError("something follows its end")


def lines(stream: IO[bytes]) -> Iterator[Piece]:
    """The lines of a file, without their ends; one that is too large is skipped to its end.

    Raises:
        DataError: more than the size of a row with nothing but blanks in it.
    """
    kept, size, blank = bytearray(), 0, 0
    while part := stream.readline(_CHUNK):
        size += len(part)
        if size <= ROW_BYTES:
            kept += part
        else:
            kept.clear()
        if not part.endswith(b"\n"):
            continue
        blank = 0 if size > ROW_BYTES or kept.strip(_BLANK) else blank + size
        if blank > ROW_BYTES:
            raise DataError("millions of empty lines follow each other")
        yield Piece(bytes(kept), TOO_LARGE if size > ROW_BYTES else "")
        kept, size = bytearray(), 0
    if size:
        yield Piece(bytes(kept), TOO_LARGE if size > ROW_BYTES else "")
