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
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SHALLOW = re.compile(rb'[",]|[\[{]+|[\]}]+')
_DEEP = re.compile(rb'"|[\[{]+|[\]}]+')  # commas inside of items are not asked for
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


class _Cutter:
    """Where the items of an array end, from chunks of its text; keeps its place between them."""

    def __init__(self) -> None:
        self.depth = self.deepest = 1  # inside the array
        self._inside, self._carried = False, b""

    def cuts(self, chunk: bytes) -> Iterator[int]:
        """Places of the commas between items and, at depth 0, of the end of the array."""
        place = 0
        while place < len(chunk):
            if self._inside:
                found = _STRING_REST.match(chunk, place)
                place = found.end() if found else place
                if place < len(chunk):
                    self._inside, place = False, place + 1
                continue
            mark = (_SHALLOW if self.depth == 1 else _DEEP).search(chunk, place)
            if mark is None:
                return
            place, kind, count = mark.end(), chunk[mark.start()], len(mark[0])
            if kind == ord('"'):
                self._inside = True
            elif kind == ord(","):
                yield mark.start()
            elif kind in b"[{":
                self.depth += count
                self.deepest = max(self.deepest, self.depth)
            elif count < self.depth:
                self.depth -= count
            else:
                end, self.depth = mark.start() + self.depth - 1, 0
                yield end
                return

    def whole(self, chunk: bytes) -> bytes:
        """A chunk that ends with no half of an escape, which the next one begins with."""
        chunk = self._carried + chunk
        odd = (len(chunk) - len(chunk.rstrip(b"\\"))) % 2
        self._carried = chunk[len(chunk) - odd :]
        return chunk[: len(chunk) - odd]


def _depth(raw: bytes) -> int:
    cutter = _Cutter()
    for _ in cutter.cuts(raw.rstrip(b"\\")):
        pass
    return cutter.deepest - 1


class _Kept:
    """The bytes of a row so far; those beyond the limit are counted, not kept."""

    def __init__(self) -> None:
        self.content, self.size = bytearray(), 0

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self.size <= ROW_BYTES:
            self.content += part
        else:
            self.content.clear()

    def take(self, problem: str = "") -> Piece:
        """What was kept, and begin anew."""
        large = self.size > ROW_BYTES
        piece = Piece(b"" if problem else bytes(self.content), TOO_LARGE if large else problem)
        self.content, self.size = bytearray(), 0
        return piece


def items(stream: IO[bytes]) -> Iterator[Piece]:
    """The text of each item of a JSON array; a part of an item may be anything.

    Raises:
        DataError: an item is too large, the array does not end, or something follows it.
    """
    cutter, kept, begun = _Cutter(), _Kept(), False
    while chunk := stream.read(_CHUNK):
        if not begun:
            before, bracket, chunk = chunk.partition(b"[")
            if before.strip(_BLANK):
                raise DataError("it does not begin with a bracket")
            begun = bool(bracket)
        chunk, start = cutter.whole(chunk), 0
        for place in cutter.cuts(chunk):
            _keep(kept, chunk[start:place])
            start = place + 1
            if cutter.depth or kept.content.strip(_BLANK):
                yield kept.take(f"JSON {TOO_DEEP}" if cutter.deepest > DEPTH + 1 else "")
            cutter.deepest = 1
        if not cutter.depth:
            if chunk[start - 1 : start] != b"]" or chunk[start:].strip(_BLANK):
                raise DataError("something other than its end follows the last item")
            break
        _keep(kept, chunk[start:])
    if cutter.depth:
        raise DataError("it has no end")
    while chunk := stream.read(_CHUNK):
        if chunk.strip(_BLANK):
            raise DataError("something follows its end")


def _keep(kept: _Kept, part: bytes) -> None:
    kept.add(part)
    if kept.size > ROW_BYTES:  # its end may be far, and is not looked for
        raise DataError(f"the next item is {TOO_LARGE}")


def lines(stream: IO[bytes]) -> Iterator[Piece]:
    """The lines of a file, without their ends; one that is too large is skipped to its end.

    Raises:
        DataError: more than the size of a row with nothing but blanks in it.
    """
    kept, blank = _Kept(), 0
    while part := stream.readline(_CHUNK):
        kept.add(part)
        if not part.endswith(b"\n"):
            continue
        empty = kept.size <= ROW_BYTES and not kept.content.strip(_BLANK)
        blank = blank + kept.size if empty else 0
        if blank > ROW_BYTES:
            raise DataError("millions of empty lines follow each other")
        yield kept.take()
    if kept.size:
        yield kept.take()
