"""Too much of a file cannot be used, or most of its prompts are empty: an error with its cause."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from surefoot.data.options import ReadingOptions
from surefoot.data.reading.account import Reading
from surefoot.data.schema import Fault
from surefoot.errors import DataError, unknown_name

#: Above this share of empty prompts, the column of the prompt was not found.
MOST_EMPTY = 0.5


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
    ends = ("" if line.endswith("?") else "." for line in lines)
    return "".join(
        f" {line[0].upper()}{line[1:]}{end}" for line, end in zip(lines, ends, strict=True)
    )
