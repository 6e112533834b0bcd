"""Single values of a row: numbers, names, votes, times.

Everything here raises a :class:`DataError` that says what was found, without the place, which the
caller adds.
"""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import json
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from surefoot.boundary.json_texts import json_value
from surefoot.data.labels.codings import CODINGS, as_number
from surefoot.data.text import describe, sound
from surefoot.errors import DataError

_SIDES = ("response_a", "response_b")

#: Longer texts are not parsed as Python, whose parser takes a hundred times their length in memory.
LONGEST_PYTHON = 1_000_000

#: Seconds since 1970 at the start of these years, and how many of each unit a second has.
_YEAR_1990, _YEAR_2200 = 631_152_000.0, 7_258_118_400.0
_UNITS = {"seconds": 1.0, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
#: A day as text, which is no number of seconds: `20261130`.
_DAY = re.compile(r"\s*\d{8}\s*")

#: Texts, and where numpy leaves out the comma between the mappings of an array that it prints.
_TEXTS_AND_GAPS = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?P<gap>\}\s+\{)""")


class MisfitError(DataError):
    """A value of an optional column that is not what the contract has under that name."""

    def __init__(self, column: str, why: object) -> None:
        super().__init__(str(why))
        self.column = column


def missing(value: object) -> bool:
    """Whether an optional value is not given: null, an empty or blank cell, or pandas' NaN."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: object, name: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number in [low, high], from a number or its text."""
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{name!r} should be a number; got {describe(value)}") from None
    if not math.isfinite(result) or not low <= result <= high:
        span = f" in [{low:g}, {high:g}]" if math.isfinite(high) else f" of at least {low:g}"
        span = "" if math.isinf(low) else span
        raise DataError(f"{name!r} should be a finite number{span}; got {value!r}")
    return result


def truth(value: object, name: str) -> bool:
    """A truth value, or its text."""
    if (found := as_number(value)) not in (0, 1):
        raise DataError(f"{name!r} should be true or false; got {describe(value)}")
    return found == 1


def probability(value: object, name: str) -> float:
    """A probability, in [0, 1]."""
    return number(value, name, 0.0, 1.0)


def votes(value: object) -> list[dict[str, Any]]:
    """Votes as a list of annotator and value; each P(first preferred), a word, or a mapping."""
    result = []
    for i, vote in enumerate(listed(value, "votes")):
        one = vote if isinstance(vote, Mapping) else {"value": vote}
        who = name_or_none(one.get("annotator"), "annotator")
        try:
            chance = CODINGS["probability"].decode(one.get("value"), _SIDES, ((), ()))
        except DataError as error:
            raise DataError(f"'votes[{i}]': {error}") from None
        result.append({"annotator": who, "value": chance})
    return result


def mean_vote(votes: Sequence[Mapping[str, Any]]) -> float:
    """The label that votes amount to: their mean, a tie counting half; there is at least one."""
    return math.fsum(vote["value"] for vote in votes) / len(votes)


def name_of(value: object, name: str) -> str:
    """The name of a group or source, or an id: text or a whole number, `7` written as 7.0 too."""
    if isinstance(value, str | int | float):
        whole = isinstance(value, float) and value.is_integer()
        return sound(str(int(value) if whole else value).strip())
    raise DataError(f"{name!r} should be text or a number; got {describe(value)}")


def name_or_none(value: object, name: str) -> str | None:
    """A name that may not be given: see :func:`name_of`."""
    return None if missing(value) else name_of(value, name)


def json_text(value: object, name: str, kind: type[list[Any]] | type[dict[str, Any]]) -> str:
    """A list or mapping, or its JSON text, as JSON text that is equal where the values are."""
    if isinstance(value, str):
        try:
            value = json_value(value)
        except DataError:
            value = str(value)
    if not isinstance(value, kind):
        wanted = "a list" if kind is list else "a mapping"
        raise DataError(f"{name!r} should be {wanted}; got {describe(value)}")
    return sound(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def dated(value: object) -> tuple[float, str]:
    """Seconds since 1970, and the unit of the number that says so; no unit for 0 and for dates.

    Takes a date, ISO 8601 text (UTC unless it says), or a number: of seconds up to the year 2200,
    else of the smaller unit in which it is a time from 1990 to 2200.
    """
    if isinstance(value, str) and (as_number(value) is None or _DAY.fullmatch(value)):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value.strip())
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(*value.timetuple()[:3])
        moments = {"": (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()}
    else:
        count = number(value, "time")
        moments = {unit: count / many for unit, many in _UNITS.items() if count}
        moments = moments or {"": 0.0}
    for unit, seconds in moments.items():
        low = -_YEAR_2200 if unit in ("", "seconds") else _YEAR_1990
        if low <= seconds < _YEAR_2200:
            return seconds, unit
    raise DataError(
        f"'time' should be a date before 2200, or seconds since 1970; got {describe(value)}"
    )


def time_of(value: object) -> float:
    """Seconds since 1970, from a number of them, a date, or ISO 8601 text."""
    seconds, unit = dated(value)
    if unit not in ("", "seconds"):
        raise DataError(f"'time' should be in seconds since 1970; got {value}, as of {unit}")
    return seconds


def listed(value: object, name: str) -> list[Any]:
    """A list, or the text of one, as JSON or as Python prints it (as in a CSV cell)."""
    found = written_value(value) if isinstance(value, str) else value
    if isinstance(found, Sequence) and not isinstance(found, str | bytes):
        return list(found)
    raise DataError(f"{name!r} should be a list; got {describe(value)}")


def written_value(text: str) -> Any:
    """What the text of JSON or of a Python literal stands for; None where it is neither.

    >>> written_value("['Tea', None]"), written_value("['Tea' 'Coffee']")
    (['Tea', None], None)
    """
    with contextlib.suppress(DataError):
        return json_value(text)
    if len(text) > LONGEST_PYTHON:
        return None
    for form in (text, _TEXTS_AND_GAPS.sub(_with_comma, text)):
        with contextlib.suppress(SyntaxError):
            return _literal(form)
    return None


def _literal(text: str) -> Any:
    """What a Python literal stands for; None where it is none or too deep, or numpy's array.

    Numpy prints no comma between texts, which Python would read as one.
    """
    try:
        kinds = [one.type for one in tokenize.generate_tokens(io.StringIO(text).readline)]
        kinds = [kind for kind in kinds if kind not in (tokenize.NL, tokenize.NEWLINE)]
        if (tokenize.STRING, tokenize.STRING) in itertools.pairwise(kinds):
            return None
        return ast.literal_eval(text)
    except (ValueError, MemoryError, RecursionError, tokenize.TokenError):
        return None


def _with_comma(match: re.Match[str]) -> str:
    return "}, {" if match["gap"] else match[0]
