"""One file per form of preference data: from a record as it was written to rows of the contract.

A module in this folder that defines `READER` is a reader; there is nothing else to register.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from surefoot.data import fields
from surefoot.data.text import Message, to_messages
from surefoot.errors import DataError

Record = Mapping[str, Any]
Row = dict[str, Any]

#: Optional columns of the contract that every reader carries through under their own names.
CARRIED = (
    *("id", "group", "source", "cluster", "time", "weight", "votes"),
    *("auxiliary", "references", "reference_auxiliary", "reference_law"),
    *("tools", "template_arguments"),
)

PROMPTS = ("prompt", "instruction", "input", "question", "query")
LABELS = ("label", "preference", "winner")


@dataclass(frozen=True)
class Reader:
    """How one form of data is told from others and read.

    Attributes:
        name: what messages call the form.
        accepts: its columns, in a sentence for the user.
        columns: names that a user may map their own columns to.
        recognises: from all column names and the first records to whether this is the form.
        rows: rows of the contract in one record; a :class:`DataError` says why there are none.
        rank: readers are asked in this order, the most specific first.
    """

    name: str
    accepts: str
    columns: tuple[str, ...]
    recognises: Callable[[AbstractSet[str], Sequence[Record]], bool]
    rows: Callable[[Record], Iterator[Row]]
    rank: int = 0


@functools.cache
def readers() -> tuple[Reader, ...]:
    """All readers, in the order in which they are asked."""
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in _modules())
    return tuple(sorted((m.READER for m in modules), key=lambda r: (r.rank, r.name)))


def _modules() -> Iterator[pkgutil.ModuleInfo]:
    return pkgutil.iter_modules(__path__)


def carried(record: Record) -> Row:
    """The optional columns that a record gives."""
    return {name: record[name] for name in CARRIED if not fields.missing(record.get(name))}


def get(record: Record, name: str) -> Any:
    """A column that must be there.

    Raises:
        DataError: it is absent or null.
    """
    if record.get(name) is None:
        state = "null" if name in record else "missing"
        raise DataError(f"the column {name!r} is {state}")
    return record[name]


def messages(value: object, role: str, name: str) -> list[Message]:
    """Messages in a column, with the column's name in the error."""
    try:
        return to_messages(value, role)
    except DataError as error:
        raise DataError(f"{name!r}: {error}") from None


def prompt_of(record: Record) -> str | list[Message]:
    """The prompt under any of its names; `input` is appended to an `instruction`."""
    name = next((name for name in PROMPTS if record.get(name) is not None), "prompt")
    prompt = get(record, name)
    if name == "instruction" and isinstance(prompt, str):
        extra = record.get("input")
        if not fields.missing(extra):
            if not isinstance(extra, str):
                raise DataError("'input': expected text beside 'instruction'")
            return f"{prompt}\n\n{extra}"
    return prompt if isinstance(prompt, str) else messages(prompt, "user", name)


def first_of(record: Record, names: Sequence[str]) -> str | None:
    """The first of these columns that has a value."""
    return next((name for name in names if not fields.missing(record.get(name))), None)
