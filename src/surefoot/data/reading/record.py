"""A record that knows what was read of it, and the account that a whole file adds up to.

Readers get no bare mapping. Whatever they take from a :class:`Record` is noted; what nobody took is
found by comparing, so that a column or a key can be forgotten but not lost without a word.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.data.labels.codings import Claims, Coding
from surefoot.data.labels.column import LabelColumn
from surefoot.data.reading import fields
from surefoot.data.text import MESSAGE_KEYS, PART_KEYS, extra_of, start_of
from surefoot.errors import DataError

#: How columns begin and end that name who wrote the two responses.
_AUTHORS = ("model", "model_", "generator_", "model_name_")
_ENDS = (("a", "b"), ("A", "B"), ("1", "2"))


class NoLabelError(DataError):
    """A row that is sound but has no label: counted apart from those that cannot be used."""


class ColumnError(DataError):
    """What is wrong with a whole column, and so with the file: no fault of a single row."""


@dataclass
class Account:
    """What became of the columns and keys of one file, and how its label columns are coded."""

    theirs: Mapping[str, str] = field(default_factory=dict)  #: the user's names of mapped columns
    codings: Mapping[str, Coding] = field(default_factory=dict)  #: of label columns, as decided
    unlabelled: bool = False  #: pairs are taken without a label too
    no_prompt: bool = False  #: the data have no prompt, and none is implied
    #: label columns for which no coding is decided, with their values
    seen: dict[str, LabelColumn] = field(default_factory=dict)
    #: rows in which a column, or a key inside one (`answers[].rank`), was taken, by name
    used: Counter[str] = field(default_factory=Counter)
    #: the column of the contract that it was taken for, where the reader says so
    became: dict[str, str] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)  #: rows with a value that nobody took
    remarks: Counter[str] = field(default_factory=Counter)  #: what else was found, and how often
    authors: set[str] = field(default_factory=set)  #: columns of who wrote the responses
    #: how columns are read that say of each response how good it is, with an example
    compared: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)  #: of numbers in `time`, with an example
    voter: str = ""  #: the column that says who judged, where one does

    def source_of(self, became: str) -> list[str]:
        """The columns that were taken for one of the contract, by the user's names."""
        return [self.theirs.get(name, name) for name, it in self.became.items() if it == became]

    def settle(self, record: Record) -> None:
        """Take a record into account that rows came from."""
        for name in record.taken():
            self.used[name] += 1
        for name in sorted(record.left()):  # so that what is written is the same every time
            self.unread[name] += 1
        if record.remarks:
            self.remarks.update(record.remarks)


@dataclass(eq=False, repr=False, slots=True)
class Record(Mapping[str, Any]):
    """One record of a file; reading a value from it counts as using its column.

    `name in record`, :meth:`given`, :meth:`look` and iteration look without using.
    """

    _values: Mapping[str, Any]  #: by the names that readers know
    account: Account  #: of the file
    row: int = 0  #: its place in the file
    _aside: Mapping[str, Any] = field(default_factory=dict)  #: what readers are not shown
    _path: str = ""  #: where it stands inside another record
    remarks: Counter[str] = field(default_factory=Counter)  #: on its values, and of how many
    voter: str | None = None  #: who judged, where a row of the file is one vote
    without_label: bool = False  #: the row was taken although it has no label
    _taken: set[str] = field(default_factory=set)
    _inside: dict[str, list[Record]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        self._taken.add(name)
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def given(self, name: str) -> bool:
        """Whether a column has a value; looking does not use it."""
        return name in self._values and not _empty(self._values[name])

    def has_any(self, names: frozenset[str]) -> bool:
        """Whether it has a column of any of these names; looking does not use it."""
        return not names.isdisjoint(self._values)

    def look(self, name: str) -> Any:
        """The value of a column, or None; looking does not use it."""
        return self._values.get(name)

    def used(self, name: str) -> bool:
        """Whether somebody has taken a column already."""
        return name in self._taken

    def use(self, name: str, became: str) -> Any:
        """The value of a column, which becomes this one of the contract; None if it is absent."""
        value = self.get(name)
        if not self._path and value is not None:
            self.account.became[name] = became
        return value

    def inside(self, name: str, became: str = "") -> Any:
        """The value of a column, the mappings in it as records, whose keys are accounted for."""
        value = self.use(name, became) if became else self.get(name)
        if isinstance(value, Mapping) and name in self._inside:
            return self._inside[name][0]
        return self._wrapped(value, name, name)

    def _wrapped(self, value: Any, name: str, path: str) -> Any:
        if isinstance(value, Mapping) and not _is_message(value):
            one = Record(value, self.account, self.row, _path=f"{self._path}{path}.")
            self._inside.setdefault(name, []).append(one)
            return one
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return [self._wrapped(item, name, f"{path}[]") for item in value]
        return value

    def preference(
        self,
        name: str,
        sides: tuple[str, str],
        *,
        value: Any = None,
        claims: Claims | None = None,
        became: str = "label",
        usual: str = "",
        column: str = "",
        optional: bool = False,
    ) -> float:
        """P(first preferred) that a label says, by the coding of its whole column.

        Args:
            name: of the column.
            sides: the columns of the two responses, which words and texts may name.
            value: what stands there; by default it is looked up.
            claims: what stands for either response in this row, by default as :meth:`claims`.
            became: the column of the contract that it is looked up for.
            usual: coding that the form documents for this column, where several would do.
            column: what the coding is decided for, where several columns are coded alike.
            optional: the row has a label without it: what cannot be read is left out as a whole.

        Raises:
            NoLabelError: there is no value.
            ColumnError: the value does not fit the column's coding.
        """
        account = self.account
        value = self.use(name, became) if value is None else value
        column = column or f"{self._path}{name}"
        if fields.missing(value):
            return self.without(f"{name!r} has no value")
        named = (account.theirs.get(sides[0], sides[0]), account.theirs.get(sides[1], sides[1]))
        claims = claims or self.claims(sides, value)
        if column not in account.codings:
            theirs, mapped = account.theirs.get(name, column), name in account.theirs
            seen = account.seen.get(column)
            seen = seen or LabelColumn(column, theirs, mapped, sides, named, usual)
            account.seen[column] = seen
            seen.needed = seen.needed or not optional
            seen.among.add(name)
            seen.add(value, self.row, claims)
            return 0.5
        try:
            label = account.codings[column].decode(value, named, claims)
        except DataError as error:
            raise ColumnError(f"{name!r} in row {self.row}: {error}") from None
        none = f"{name!r} is {value!r}, which stands for none"
        return self.without(none) if label is None else label

    def compares(self, column: str, value: object, meaning: str) -> None:
        """Say once how a column of numbers is read, of which the responses have one each."""
        if column not in self.account.compared:
            name, shown = self.account.theirs.get(column, column), start_of(str(value), 40)
            self.account.compared[column] = f"{name}: {meaning} (row {self.row}: {shown})"

    def without(self, why: str) -> float:
        """What stands for the label of a row that has none, where those are taken too.

        Raises:
            NoLabelError: they are not.
        """
        if not self.account.unlabelled:
            raise NoLabelError(f"{why}, so the row has no label")
        self.without_label = True
        return 0.5

    def claims(self, sides: tuple[str, str], value: Any) -> Claims:
        """The two responses, and the names of who wrote them, where the value may be one."""
        first, second = (self._values.get(side) for side in sides)
        if not isinstance(value, str):
            return (first,), (second,)
        for names in self.author_columns(sides):
            models = [self._values.get(name) for name in names]
            if value in models and models[0] != models[1]:
                self._taken.update(names)
                self.account.authors.update(names)
                return (first, models[0]), (second, models[1])
        return (first,), (second,)

    def author_columns(self, sides: tuple[str, str]) -> Iterator[tuple[str, str]]:
        """Names that two columns may have which say who wrote the responses in `sides`."""
        ends = dict.fromkeys(((sides[0][-1:], sides[1][-1:]), *_ENDS))
        for stem, (a, b) in itertools.product(_AUTHORS, ends):
            yield f"{stem}{a}", f"{stem}{b}"

    def taken(self) -> Iterator[str]:
        """Columns that were used, and keys inside them."""
        for name, value in self._values.items():
            if name in self._taken and not _empty(value):
                yield f"{self._path}{name}"
        for records in self._inside.values():
            yield from dict.fromkeys(name for record in records for name in record.taken())

    def left(self) -> set[str]:
        """Columns with a value that nobody used, and keys inside those that somebody did."""
        unread = {name for name, value in self._aside.items() if not _empty(value)}
        for name, value in self._values.items():
            if name in self._taken:
                unread.update(f"{self._path}{name}{key}" for key in _unread_keys(value))
            elif not _empty(value):
                unread.add(f"{self._path}{name}")
        return unread.union(*(one.left() for inner in self._inside.values() for one in inner))


def _empty(value: object) -> bool:
    """Whether nothing is lost where nobody reads this value."""
    return fields.missing(value) or value == [] or value == {}


def _is_message(value: Mapping[str, Any]) -> bool:
    return "role" in value or "from" in value


def _unread_keys(value: object, path: str = "") -> Iterator[str]:
    """Keys of messages, and of the parts of their contents, that no conversion reads."""
    if isinstance(value, list):
        for item in value:
            yield from _unread_keys(item, f"{path}[]")
    elif isinstance(value, Mapping) and _is_message(value):
        for key, inner in value.items():
            known = key in MESSAGE_KEYS or (key == "extra" and extra_of(inner))
            if not known and not _empty(inner):
                yield f"{path}.{key}"
        for name in ("content", "value"):
            for part in content if isinstance(content := value.get(name), list) else ():
                if isinstance(part, Mapping):
                    for key, inner in part.items():
                        if key not in PART_KEYS and not _empty(inner):
                            yield f"{path}.{name}[].{key}"
