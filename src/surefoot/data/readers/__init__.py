"""One file per form of preference data: from a record as it was written to rows of the contract.

A module in this folder that defines `READER` is a reader; there is nothing else to register.

A reader takes what it needs from a :class:`~surefoot.data.reading.record.Record`. What it leaves is
treated alike for all readers (:mod:`surefoot.data.reading.contract`): a system message and a
history go in front of the prompt, optional columns of the contract are carried, and the rest is
named as not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from surefoot import plugins
from surefoot.data.reading.contract import CARRIED, COMMON, Row, get
from surefoot.data.reading.record import Record

__all__ = ["CARRIED", "Reader", "Record", "Row", "get", "readers"]


@dataclass(frozen=True)
class Reader:
    """How one form of data is recognised and read."""

    name: str  #: what messages call the form
    accepts: str  #: its columns, in a sentence for the user
    columns: tuple[str, ...]  #: names that a user may map columns to, beside those of every form
    #: from all column names and the first records to whether this is the form
    recognises: Callable[[AbstractSet[str], Sequence[Mapping[str, Any]]], bool]
    #: rows of the contract in one record; a :class:`DataError` says why there are none
    rows: Callable[[Record], Iterator[Row]]
    example: Mapping[str, Any]  #: a record that it reads, from which tests make others
    rank: int = 0  #: readers are asked in this order, the most specific first

    @cached_property
    def familiar(self) -> AbstractSet[str]:
        """Columns that it takes, or that are taken beside whatever the form."""
        return frozenset((*self.columns, *COMMON))


def readers() -> tuple[Reader, ...]:
    """All readers, in the order in which they are asked."""
    return tuple(sorted(plugins.found(__name__, "READER"), key=lambda r: (r.rank, r.name)))
