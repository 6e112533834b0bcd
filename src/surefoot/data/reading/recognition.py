"""Which form a file has, and its records under the names that readers know."""

from __future__ import annotations

import itertools
from collections.abc import Container, Mapping, Sequence
from typing import Any

from surefoot.data.options import ReadingOptions
from surefoot.data.readers import Reader, readers
from surefoot.data.reading.account import misspelt
from surefoot.data.reading.contract import COMMON
from surefoot.data.reading.hints import columns_options, hints
from surefoot.data.reading.record import Account, Record
from surefoot.data.schema import FEATURES, declared
from surefoot.data.sources.tables import Numbered
from surefoot.errors import DataError, unknown_name

#: Names of the contract that a user's column cannot be mapped to: they are about the reading.
_OURS = frozenset(("file", "row", "note", "label_from", "conversational", "numbers"))


def shown(
    numbered: Numbered, options: ReadingOptions, hidden: Container[str], account: Account
) -> Record:
    """A record under the names that readers know, without the `hidden` ones of these."""
    cells, columns = numbered.record or {}, options.columns
    if not (columns or hidden):
        return Record(cells, account, numbered.row)
    moved = {name for name in columns.values() if name}
    values = {name: value for name, value in cells.items() if name not in moved}
    aside = {name: value for name, value in values.items() if name in columns or name in hidden}
    values = {name: value for name, value in values.items() if name not in aside}
    for new, old in columns.items():
        if old and old in cells:
            (aside if new in hidden else values)[old if new in hidden else new] = cells[old]
    return Record(values, account, numbered.row, aside=aside)


def renamed(sample: Sequence[Mapping[str, Any]], options: ReadingOptions) -> list[dict[str, Any]]:
    """Records as plain mappings under the names that readers know."""
    records = (shown(Numbered(0, one), options, (), Account()) for one in sample)
    return [{name: record.look(name) for name in record} for record in records]


def recognised(
    place: str, sample: Sequence[Mapping[str, Any]], options: ReadingOptions, unlabelled: bool
) -> Reader:
    """The reader of a file, of which these are the first records.

    Raises:
        DataError: none reads it; the message lists what is read, and how to name columns.
    """
    records = renamed(sample, options)
    names = {name for record in records for name in record}
    for reader in readers():
        if reader.recognises(names | {"label"} if unlabelled else names, records):
            return reader
    near = [f" {name!r}: did you mean {new!r}?" for name, new in misspelt(sorted(names), known())]
    if found := _in_small_letters(names, records):
        near = [f"\nPerhaps: {found}"]
    raise DataError(
        f"{place}: its columns ({', '.join(_columns(sample))}) are none of the forms that are read."
        f"{''.join(near)}\n"
        + "".join(f"{hint}\n" for hint in hints(sample))
        + "\n".join(f"  - {reader.name}: {reader.accepts}" for reader in readers())
        + "\nSay which of your columns holds what: --column prompt=yours, or `columns` in a "
        "configuration and in Python. Data without a prompt are read with --no-prompt."
    )


def _in_small_letters(names: Container[str], records: Sequence[Mapping[str, Any]]) -> str:
    """Options that map columns to names in small letters, where a form has these; else nothing."""
    small = [{str(name).casefold(): one[name] for name in one} for one in records]
    if not any(reader.recognises({n for one in small for n in one}, small) for reader in readers()):
        return ""
    given = dict.fromkeys(str(name) for one in records for name in one)
    other = {name.casefold(): name for name in given if name.casefold() != name}
    return columns_options({new: old for new, old in other.items() if new in known()})


def known() -> set[str]:
    """Every name that some reader takes, or that is taken beside."""
    return {*COMMON, *itertools.chain(*(reader.columns for reader in readers()))}


def require_columns(
    place: str, mapped: Mapping[str, str], sample: Sequence[Mapping[str, Any]]
) -> None:
    """Check a user's column names by the contract's.

    An empty name says that the column of that name is another thing.

    Raises:
        DataError: a name that is none of the contract's, or a column that is not there.
    """
    columns = _columns(sample)
    valid = ({*FEATURES} | known()) - _OURS
    for new, old in mapped.items():
        if old and new not in valid and declared(new) is None:
            raise DataError(unknown_name("name to map a column to:", new, valid))
        if (old or new) not in columns:
            raise DataError(f"{place}: {unknown_name('column', old or new, columns)}")


def _columns(sample: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(name) for record in sample for name in record))
