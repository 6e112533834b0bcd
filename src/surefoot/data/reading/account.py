"""What was made of one file: every column used, carried or not read, and how labels are coded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

#: Names that are not read are listed up to this many.
_SHOWN = 12
#: What a column is called whose name is empty, as pandas writes that of its index.
_UNNAMED = "a column without a name"


@dataclass(frozen=True)
class Fault:
    """A row that was left out: where it stands and why.

    Attributes:
        file: its file.
        row: its place there.
        reason: why.
        unlabelled: nothing is wrong with it but that it has no label.
    """

    file: str
    row: int
    reason: str
    unlabelled: bool = False


@dataclass(frozen=True)
class Reading:
    """How one file was read.

    Attributes:
        place: the file.
        form: the reader's name for its form.
        rows: records in the file.
        used: columns that were read, the user's names, by what they became; keys inside columns
            are written `answers[].rank`.
        not_read: columns and keys with a value that nobody read, by the number of rows.
        labels: how each label column was read, in words, with an example row.
        codings: the names of their codings, by column.
        notes: what else was decided for whole columns.
        warnings: columns that were not read although they may change what is learnt.
        unusable: records that could not be used.
        unlabelled: records that only lack a label, which were left out.
        empty_prompts: rows whose prompt is empty.
        grouped: records that were taken together with others, as votes on one pair.
    """

    place: str
    form: str
    rows: int
    used: Mapping[str, str]
    not_read: Mapping[str, int]
    labels: tuple[str, ...] = ()
    codings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unusable: int = 0
    unlabelled: int = 0
    empty_prompts: int = 0
    grouped: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Reading:
        """Restore what :meth:`to_dict` gave."""
        lists = {name: tuple(described[name]) for name in ("labels", "notes", "warnings")}
        return cls(**{**described, **lists})

    def lines(self) -> Iterator[str]:
        """Sentences for the terminal: what was used, what was not read, labels, warnings."""
        used = (
            name if became in ("", name) else f"{name} as {became}"
            for name, became in self.used.items()
        )
        yield f"used ({self.form}): {_listed(used)}"
        left = (
            (name or _UNNAMED)
            if rows >= self.rows - self.unusable
            else f"{name or _UNNAMED} (in {rows} rows)"
            for name, rows in self.not_read.items()
        )
        yield f"not read: {_listed(left) or 'nothing'}"
        yield from self.labels
        yield from self.notes
        yield from (f"warning: {line}" for line in self.warnings)

    def __str__(self) -> str:
        return "\n".join([f"{self.place}:", *(f"  {line}" for line in self.lines())])


def lines_of(readings: Sequence[Reading], faults: Sequence[Fault] = ()) -> Iterator[str]:
    """Sentences on what was read and what was left out, for every command alike.

    Args:
        readings: of each file; files that were read alike share their lines.
        faults: the rows that were left out.
    """
    alike_by_lines: dict[tuple[str, ...], list[Reading]] = {}
    for reading in readings:
        alike_by_lines.setdefault(tuple(reading.lines()), []).append(reading)
    for lines, alike in alike_by_lines.items():
        more = f" and {len(alike) - 1} more" if len(alike) > 1 else ""
        before = f"{alike[0].place}{more}: " if len(alike_by_lines) > 1 else ""
        for line in lines:
            warned = line.startswith("warning: ")
            yield f"warning: {before}{line.removeprefix('warning: ')}" if warned else before + line
    rows = sum(reading.rows for reading in readings)
    for left, what in ((False, "could not be used"), (True, "have no label")):
        found = [fault for fault in faults if fault.unlabelled == left]
        if found:
            yield (
                f"warning: {len(found)} of {rows} rows ({len(found) / rows:.1%}) {what} and were "
                f"left out, the first in {found[0].file}, row {found[0].row}: {found[0].reason}."
            )


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def misspelt(not_read: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names that nobody read and that differ from one that is read in a letter or in case.

    >>> list(misspelt(["promt", "output_3", "Chosen"], ["prompt", "output_2", "chosen"]))
    [('promt', 'prompt'), ('Chosen', 'chosen')]
    """
    valid = sorted(known)
    for name in not_read:
        if name in valid:
            continue
        plain = name.casefold()
        near = plain if plain in valid else None
        near = near or next((one for one in valid if _one_letter_apart(plain, one)), None)
        if near is not None:
            yield name, near


def _one_letter_apart(one: str, other: str) -> bool:
    """Whether a letter is missing, added, wrong, or changes places; numbers and ends count."""
    if one == other or min(len(one), len(other)) < 4:
        return False
    start = _shared(one, other)
    end = _shared(one[start:][::-1], other[start:][::-1])
    first, second = one[start : len(one) - end], other[start : len(other) - end]
    if len(first) == len(second) == 2:
        return first == second[::-1]
    if max(len(first), len(second)) != 1:
        return False
    numbered = one[-2:-1] == "_" or other[-2:-1] == "_" or (first + second).isdigit()
    return not (numbered and end == 0)


def _shared(one: str, other: str) -> int:
    """How many letters two texts have in common from the start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(one), len(other)))
