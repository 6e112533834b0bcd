"""Reading preferences from whatever people have: the one function that everything goes through."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from surefoot.data import cache
from surefoot.data.origins import Origin, origins_of
from surefoot.data.readers import Reader, readers
from surefoot.data.schema import ABSENT, FEATURES, Fault, Preferences, concatenate, filled
from surefoot.data.tables import Numbered
from surefoot.errors import ConfigurationError, DataError, unknown_name

OnError = Literal["skip", "fail"]

#: Records looked at to tell the form of the data.
_SAMPLE = 100


def read_preferences(
    source: str | Path | Sequence[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    source_name: str | None = None,
    on_error: OnError = "skip",
    unlabelled: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Preferences:
    """Read comparisons from files, folders, or data sets on the Hub.

    A source is a file, a pattern (`data/*.jsonl`), a folder of Parquet or Arrow files or of
    `save_to_disk`, or `hub:owner/name[:configuration][@split]`.

    The form is recognised by its columns and first rows (see :mod:`surefoot.data.readers`). The
    rows are converted once into a table in the cache folder, which is then memory-mapped.

    Args:
        source: where to read; several are read one after the other into one table.
        columns: the user's column for a name that a reader takes, as in
            ``{"response_a": "first_answer"}``.
        source_name: `source` of the rows that give none; each file's own short name by default.
        on_error: skip rows that cannot be used (they are listed in `faults`), or fail at the first.
        unlabelled: take rows of `response_a` and `response_b` without a label too, to be scored:
            they read as ties, whose column `label_from` says `absent`.
        progress: called with the number of records read since the last call (`tqdm.update` fits).

    Raises:
        DataError: nothing can be read, no row can be used, or `on_error` is "fail" and one cannot.
    """
    if on_error not in get_args(OnError):
        raise ConfigurationError(unknown_name("on_error", on_error, get_args(OnError)))
    given = [source] if isinstance(source, str | Path) else list(source)
    if not given:
        raise DataError("no source was given to read preferences from.")
    parts = [
        _read(_Conversion(origin, dict(columns or {}), source_name, on_error, unlabelled, progress))
        for one in given
        for origin in origins_of(one)
    ]
    return parts[0] if len(parts) == 1 else concatenate(parts)


def read_records(
    records: Iterable[Mapping[str, Any]], name: str, digest: str | None = None
) -> Preferences:
    """Read comparisons from rows in memory, or from a `datasets.Dataset`.

    Args:
        records: rows in any of the forms that files come in.
        name: what messages call them.
        digest: hash of the content, where it is known; by default it is computed.

    Raises:
        DataError: as :func:`read_preferences` does.
    """
    digest = digest or _digest([repr(record) for record in records])
    origin = Origin(
        name, name, digest, lambda: (Numbered(i, row) for i, row in enumerate(records, start=1))
    )
    return _read(_Conversion(origin, {}, None, "skip", False, None))


@dataclass
class _Conversion:
    """One origin on its way into the cache."""

    origin: Origin
    columns: dict[str, str]
    source_name: str | None
    on_error: OnError
    unlabelled: bool
    progress: Callable[[int], object] | None
    faults: list[tuple[int, str]] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """Hash of content, options and code: equal where the rows are (but for `file`)."""
        options = [self.columns, self.source_name, self.unlabelled]
        return _digest([self.origin.digest, *options, cache.code_digest()])

    @property
    def key(self) -> str:
        """Name of the table: `file` and the default `source` depend on the origin's name too."""
        return _digest([self.fingerprint, self.origin.place])

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """Checked rows of the contract, some at a time; fills `faults` as it goes."""
        records = self.origin.records()
        first = list(itertools.islice(records, _SAMPLE))
        sample = [numbered.record for numbered in first if numbered.record is not None]
        if not sample:
            raise self._unusable([(n.row, n.reason) for n in first], "no row can be read")
        reader = self._reader(sample)
        batch: list[dict[str, Any]] = []
        used = 0
        for numbered in itertools.chain(first, records):
            batch += self._rows(reader, numbered)
            if len(batch) >= cache.BATCH:
                yield batch
                used, batch = used + len(batch), []
        if not used + len(batch):
            raise self._unusable(
                self.faults,
                f"none of its {len(self.faults)} rows can be used (read as {reader.name}: "
                f"{reader.accepts})",
            )
        yield batch

    def _unusable(self, faults: Sequence[tuple[int, str]], what: str) -> DataError:
        reasons = "\n".join(f"  row {row}: {reason}" for row, reason in faults[:3])
        return DataError(f"{self.origin.place}: {what}.\n{reasons}")

    def _rows(self, reader: Reader, numbered: Numbered) -> list[dict[str, Any]]:
        if self.progress is not None:
            self.progress(1)
        place = {"file": self.origin.place, "row": numbered.row}
        source = self.source_name or self.origin.name
        try:
            if numbered.record is None:
                raise DataError(numbered.reason)
            rows = [filled(row) | place for row in reader.rows(self._renamed(numbered.record))]
        except DataError as error:
            fault = (numbered.row, str(error).rstrip("."))
            if self.on_error == "fail":
                raise _failure(self.origin.place, *fault) from None
            self.faults.append(fault)
            return []
        if self.unlabelled and self._without_label(self._named(numbered.record)):
            rows = [row | {"label_from": ABSENT} for row in rows]
        return [row if row["source"] is not None else row | {"source": source} for row in rows]

    def _renamed(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        named = self._named(record)
        return {**named, "label": 0.5} if self._without_label(named) else named

    def _named(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._mapped(record) if self.columns else record

    def _without_label(self, record: Mapping[str, Any]) -> bool:
        """Whether a pair is taken although it has no label."""
        pair = record.get("response_a") is not None and record.get("response_b") is not None
        return self.unlabelled and pair and record.get("label") is None

    def _mapped(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        taken = {*self.columns, *self.columns.values()}
        kept = {name: value for name, value in record.items() if name not in taken}
        return kept | {new: record[old] for new, old in self.columns.items() if old in record}

    def _reader(self, sample: Sequence[Mapping[str, Any]]) -> Reader:
        place = self.origin.place
        columns = list(dict.fromkeys(name for record in sample for name in record))
        require_columns(place, self.columns, columns)
        renamed = [self._renamed(record) for record in sample]
        names = {name for record in renamed for name in record}
        for reader in readers():
            if reader.recognises(names, renamed):
                return reader
        raise DataError(
            f"{place}: its columns ({', '.join(map(str, columns))}) are none of the forms that are "
            "read:\n"
            + "\n".join(f"  - {reader.name}: {reader.accepts}" for reader in readers())
            + "\nSay which of your columns holds what: --column prompt=yours, or `columns` in a "
            "configuration and in Python."
        )


def require_columns(place: str, given: Mapping[str, str], columns: Sequence[str]) -> None:
    """Check a user's column names by the contract's.

    Args:
        place: of the file, for the message.
        given: as the user said.
        columns: that the file has.

    Raises:
        DataError: a name that is none of the contract's, or a column that is not there.
    """
    valid = {*FEATURES, *itertools.chain(*(reader.columns for reader in readers()))}
    for new, old in given.items():
        if new not in valid - {"file", "row", "note", "label_from"}:
            raise DataError(unknown_name("name to map a column to:", new, valid))
        if old not in columns:
            raise DataError(f"{place}: {unknown_name('column', old, columns)}")


def _read(conversion: _Conversion) -> Preferences:
    place, key = conversion.origin.place, conversion.key
    found = cache.load(key)
    if found is None:
        cache.store(key, conversion.batches(), conversion.faults)
        found = cache.load(key)
    if found is None:
        raise DataError(f"{place}: the table just written to {cache.folder()} cannot be read back.")
    dataset, faults = found
    if faults and conversion.on_error == "fail":
        raise _failure(place, *faults[0])
    return Preferences(
        dataset=dataset,
        name=conversion.origin.name,
        fingerprint=conversion.fingerprint,
        faults=tuple(Fault(place, row, reason) for row, reason in faults),
    )


def _failure(place: str, row: int, reason: str) -> DataError:
    return DataError(f"{place}, row {row}: {reason}.")


def _digest(parts: Sequence[object]) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
