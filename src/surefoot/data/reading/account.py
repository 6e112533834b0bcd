"""What was made of one file: every column used, carried or not read; and whether that will do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from surefoot.data.options import ReadingOptions
from surefoot.data.text import shared_start
from surefoot.errors import DataError, unknown_name

#: Names that are not read are listed up to this many.
_SHOWN = 12
#: What a column is called whose name is empty, as pandas writes that of its index.
_UNNAMED = "a column without a name"
#: Above this share of empty prompts, the column of the prompt was not found.
MOST_EMPTY = 0.5


@dataclass(frozen=True)
class Fault:
    """A row that was left out: where it stands and why."""

    file: str
    row: int
    reason: str
    unlabelled: bool = False  #: nothing is wrong with it but that it has no label


@dataclass(frozen=True)
class Reading:
    """How one file was read."""

    place: str  #: the file
    form: str  #: the reader's name for its form
    rows: int  #: records in the file
    #: columns that were read, the user's names, by what they became; `answers[].rank` is a key
    #: inside a column
    used: Mapping[str, str]
    not_read: Mapping[str, int]  #: columns and keys that nobody read, by the rows with a value
    labels: tuple[str, ...] = ()  #: how each label column was read, in words, with an example
    codings: Mapping[str, str] = field(default_factory=dict)  #: names of their codings, by column
    notes: tuple[str, ...] = ()  #: what else was decided for whole columns
    warnings: tuple[str, ...] = ()  #: columns not read although they may change what is learnt
    unusable: int = 0  #: records that could not be used
    unlabelled: int = 0  #: records that only lack a label, which were left out
    empty_prompts: int = 0  #: rows whose prompt is empty
    grouped: int = 0  #: records that were taken together with others, as votes on one pair

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
        used = [f"{n} as {it}" if it not in ("", n) else n for n, it in self.used.items()]
        yield f"used ({self.form}): {_listed(used)}"
        everywhere = self.rows - self.unusable
        left = [
            (name or _UNNAMED) + ("" if rows >= everywhere else f" (in {rows} rows)")
            for name, rows in self.not_read.items()
        ]
        yield f"not read: {_listed(left) or 'nothing'}"
        yield from self.labels
        yield from self.notes
        yield from (f"warning: {line}" for line in self.warnings)

    def __str__(self) -> str:
        return "\n".join([f"{self.place}:", *(f"  {line}" for line in self.lines())])


def lines_of(readings: Sequence[Reading], faults: Sequence[Fault] = ()) -> Iterator[str]:
    """Sentences on what was read and what was left out, for every command alike.

    Files that were read alike share their lines.
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


def require_usable(reading: Reading, faults: Sequence[Fault], options: ReadingOptions) -> None:
    """Refuse a file that was read in name only; `faults` are its rows that were left out.

    Raises:
        DataError: more than `max_unusable` of its rows cannot be used, or more than half of the
            prompts are empty and it was not said that there are none.
    """
    unusable = [fault for fault in faults if not fault.unlabelled]
    if len(unusable) > options.max_unusable * reading.rows:
        share = len(unusable) / reading.rows
        shown = "\n".join(f"  row {fault.row}: {fault.reason}" for fault in unusable[:3])
        (reason, count), *_ = Counter(fault.reason for fault in unusable).most_common(1)
        often = f" ({count} times)" if count > 1 else ""
        raise DataError(
            f"{reading.place}: {len(unusable)} of {reading.rows} rows ({share:.1%}) cannot be "
            f"used, and at most {options.max_unusable:.1%} may be (max_unusable).\n{shown}\n"
            f"The likely cause{often}: {reason}.{_causes(reading)} Mend the file, or go on without "
            f"these rows with --max-unusable {math.ceil(share * 100) / 100} (max_unusable in a "
            "configuration and in Python)."
        )
    used = reading.rows - len(faults) - reading.grouped
    if not options.no_prompt and reading.empty_prompts > MOST_EMPTY * max(used, 1):
        raise DataError(
            f"{reading.place}: the prompts of {reading.empty_prompts} rows are empty, of {used} "
            f"that were used ({reading.empty_prompts / max(used, 1):.1%}), so that the responses "
            f"answer nothing. {_why_empty(reading)}{_causes(reading)} Say which column holds the "
            "prompt (--column prompt=yours), or that the data have none (--no-prompt; no_prompt in "
            "a configuration and in Python)."
        )


def require_one_coding(readings: Sequence[Reading], options: ReadingOptions) -> None:
    """Refuse files of one form whose label columns of one name were taken for different codings.

    Raises:
        DataError: they were, as may be for parts of one table, of which some hold fewer values
            than others; or a coding was given for a column that is no label in any file.
    """
    columns = {name for reading in readings for name in reading.codings}
    theirs = {options.columns.get(name, name) for name in columns}
    for name in options.codings:
        if name not in columns | theirs:
            raise DataError(unknown_name("label column", name, columns | theirs))
    known: dict[tuple[str, str], Reading] = {}
    for reading in readings:
        for column, coding in reading.codings.items():
            if coding == "words":
                continue
            other = known.setdefault((reading.form, column), reading)
            if other.codings[column] != coding:
                raise DataError(
                    f"by its values the column {column!r} is coded as {other.codings[column]!r} in "
                    f"{other.place}, and as {coding!r} in {reading.place}. Say which it is "
                    f"(--coding {column}={coding}), or read the files one by one."
                )


def _why_empty(reading: Reading) -> str:
    taken = [name for name, became in reading.used.items() if (became or name) == "prompt"]
    if taken:
        return f"The prompt was read from {', '.join(taken)}."
    return "No column holds a prompt, and chosen and rejected do not begin alike, as they would."


def _causes(reading: Reading) -> str:
    """Sentences on what was not read."""
    lines = list(reading.warnings)
    if reading.not_read:
        lines.append(f"not read: {', '.join(list(reading.not_read)[:8])}")
    sentences = (line if line.endswith("?") else f"{line}." for line in lines)
    return "".join(f" {one[0].upper()}{one[1:]}" for one in sentences)


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
        near = [one for one in valid if one == plain or _one_letter_apart(plain, one)]
        if near:
            yield name, plain if plain in near else near[0]


def _one_letter_apart(one: str, other: str) -> bool:
    """Whether a letter is missing, added, wrong, or changes places; numbers and ends count."""
    if one == other or min(len(one), len(other)) < 4:
        return False
    start = shared_start(one, other)
    a, b = one[start:], other[start:]
    if a[:2] == b[1::-1] and a[2:] == b[2:]:
        return True
    numbered = "_" in (one[-2:-1], other[-2:-1]) or (a + b).isdigit()
    at_the_end = max(len(a), len(b)) == 1
    return (a[1:] == b[1:] or a[1:] == b or a == b[1:]) and not (numbered and at_the_end)
