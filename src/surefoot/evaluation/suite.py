"""A named set of test pairs: where it comes from, its licence, and how its rows are read."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from surefoot.boundary.json_texts import json_value
from surefoot.boundary.limits import FILE_BYTES, size
from surefoot.data.keys import key_of
from surefoot.data.schema import ORDER, Fault, Preferences
from surefoot.data.text import Message, to_messages, to_text
from surefoot.errors import DataError
from surefoot.paths import cache_folder
from surefoot.runs.atomic import appearing

Record = dict[str, Any]
Row = dict[str, Any]
Turns = str | list[Message]

#: Environment variable that names a folder with the suites.
FOLDER_VARIABLE = "SUREFOOT_SUITES"
#: Seconds without an answer after which a download is given up.
TIMEOUT = 30


@dataclass(frozen=True)
class Part:
    """One file of a suite."""

    path: str  #: where it lies in a folder of suites; read with or without its `.gz`
    #: the public file that the same row function reads; empty where the public form differs
    url: str = ""


@dataclass(frozen=True)
class Suite:
    """A named set of test pairs."""

    name: str  #: as given on the command line
    description: str  #: what it tests, in a line
    origin: str  #: the public source: repository, commit, path
    licence: str  #: of texts and labels
    parts: Mapping[str, Part]  #: its files by short name
    #: from the records of each part to rows under the data contract, and to a
    #: :class:`~surefoot.data.schema.Fault` for each record that is left out (see :func:`each`);
    #: `file` of either may be the name of the part
    rows: Callable[[Mapping[str, list[Record]]], Iterable[Row | Fault]]
    note: str = ""  #: what a reader of results should know
    #: further groupings of the loaded rows, by title
    breakdowns: Callable[[Preferences], dict[str, list[str | None]]] = field(
        default=lambda preferences: {}
    )

    def load(self, folder: str | os.PathLike[str]) -> Preferences:
        """Read the suite from a folder that holds its parts.

        Raises:
            DataError: a part is missing or cannot be read; the message names it.
        """
        return self.read(
            {name: self._local(part, Path(folder)) for name, part in self.parts.items()}
        )

    def read(self, files: Mapping[str, Path]) -> Preferences:
        """Read the suite from the file of each part.

        Raises:
            DataError: a file that is not what the suite expects.
        """
        records = {name: read_records(path) for name, path in files.items()}
        places = {name: part.path for name, part in self.parts.items()}
        rows: list[Row] = []
        faults: list[Fault] = []
        try:
            for found in self.rows(records):
                if isinstance(found, Fault):
                    faults.append(replace(found, file=places.get(found.file, found.file)))
                else:
                    file = found.get("file")
                    rows.append({**found, "file": places[file]} if file in places else found)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            paths = ", ".join(str(path) for path in files.values())
            raise DataError(
                f"suite {self.name!r} expects other records than those in {paths}: {error!r}."
            ) from None
        return replace(Preferences.from_rows(rows, name=self.name), faults=tuple(faults))

    def fetch(self) -> Preferences:
        """Download the parts of the suite from their public origin, once, and read it.

        Raises:
            DataError: the public form differs from ours, or the origin could not be reached; the
                message names the origin and what to do instead.
        """
        remedy = (
            f"Give a folder that holds {', '.join(p.path for p in self.parts.values())} "
            f"with --suites DIR or the environment variable {FOLDER_VARIABLE}."
        )
        if not all(part.url for part in self.parts.values()):
            raise DataError(
                f"suite {self.name!r} cannot be fetched: its public form ({self.origin}) differs "
                f"from the one read here. {remedy}"
            )
        return self.read(
            {name: self._cached(part.url, remedy) for name, part in self.parts.items()}
        )

    def _cached(self, url: str, remedy: str) -> Path:
        digest = hashlib.blake2b(url.encode(), digest_size=8).hexdigest()
        path = cache_folder("suites") / self.name / f"{digest}-{Path(urlsplit(url).path).name}"
        if path.is_file():
            return path
        try:
            with urlopen(url, timeout=TIMEOUT) as stream:
                content = stream.read()
        except (OSError, HTTPException) as error:
            raise DataError(
                f"suite {self.name!r} could not be fetched from {url} "
                f"({type(error).__name__}: {error}). {remedy}"
            ) from None
        path.parent.mkdir(parents=True, exist_ok=True)
        with appearing(path) as partial:
            partial.write_bytes(content)
        return path

    def _local(self, part: Part, folder: Path) -> Path:
        for path in (folder / part.path, folder / part.path.removesuffix(".gz")):
            if path.is_file():
                return path
        raise DataError(
            f"suite {self.name!r} needs {folder / part.path}, which does not exist "
            f"(its public origin is {self.origin})."
        )


def read_records(path: Path) -> list[Record]:
    """Records of a JSON array or object, JSON lines or CSV file, gzipped or not.

    Raises:
        DataError: the file cannot be parsed.
    """
    try:
        text = _whole(path).decode("utf-8")
        if path.name.removesuffix(".gz").endswith(".csv"):
            return list(csv.DictReader(io.StringIO(text, newline="")))
        try:
            found: Record | list[Record] = json_value(text)
        except DataError as error:
            if "Extra data" not in str(error):
                raise
            return [json_value(line) for line in text.split("\n") if line.strip()]
        return found if isinstance(found, list) else [found]
    except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from None


def _whole(path: Path) -> bytes:
    """What a file holds, unpacked.

    Raises:
        DataError: it is larger than is held whole.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if zipped else path.open("rb") as stream:
        content = stream.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise DataError(f"it is larger than {size(FILE_BYTES)}, unpacked")
    return content


def numbered(records: Mapping[str, list[Record]]) -> Iterator[tuple[str, int, Record]]:
    """Every record with the name of its part and its place there."""
    for part, content in records.items():
        for place, record in enumerate(content):
            yield part, place, record


def each(
    row: Callable[[Record, str, int], Row | str | Iterable[Row]],
) -> Callable[[Mapping[str, list[Record]]], Iterator[Row | Fault]]:
    """The rows of a suite whose records stand alone.

    Args:
        row: of a record, the name of its part and its place there: a row, several, or the reason
            why the record is left out.
    """

    def rows(records: Mapping[str, list[Record]]) -> Iterator[Row | Fault]:
        for part, place, record in numbered(records):
            found = row(record, part, place)
            if isinstance(found, str):
                yield Fault(part, place, found)
            else:
                for one in [found] if isinstance(found, dict) else found:
                    yield {"file": part, "row": place, **one}

    return rows


def pair(prompt: Turns, chosen: Turns, rejected: Turns, **columns: Any) -> Row:
    """A row whose preferred response stands in a position drawn by hash.

    Chosen-first data lets a model (or a judge with a taste for the first answer) win by position.
    The draw depends on the texts only, not on which of them is preferred.
    """
    sides = [to_text(to_messages(side, role="assistant")) for side in (chosen, rejected)]
    prompt_text = to_text(to_messages(prompt, role="user"))
    turned = bool(key_of("\0".join([prompt_text, *sorted(sides)])) & 1)
    first = (sides[0] <= sides[1]) != turned
    a, b = (chosen, rejected) if first else (rejected, chosen)
    row = {"prompt": prompt, "response_a": a, "response_b": b, "label": float(first)}
    return {**row, "label_from": ORDER, **columns}  # nobody who judged saw these sides
