"""Single values of a row: numbers, names, votes, times.

Everything here raises a :class:`DataError` that says what was found, without the place, which the
caller adds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from surefoot.boundary.json_texts import json_value
from surefoot.data.codings import CODINGS
from surefoot.data.text import describe, sound
from surefoot.errors import DataError

_SIDES = ("response_a", "response_b")


class MisfitError(DataError):
    """A value of an optional column that is not what the contract has under that name."""

    def __init__(self, column: str, why: object) -> None:
        super().__init__(str(why))
        self.column = column


def missing(value: object) -> bool:
    """Whether an optional value is not given: null, an empty CSV cell, or pandas' NaN."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


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


def probability(value: object, name: str) -> float:
    """A probability, in [0, 1]."""
    return number(value, name, 0.0, 1.0)


def votes(value: object) -> list[dict[str, Any]]:
    """Votes as a list of annotator and value; each P(first preferred), a word, or a mapping."""
    result = []
    for i, vote in enumerate(listed(value, "votes")):
        one = vote if isinstance(vote, Mapping) else {"value": vote}
        annotator = one.get("annotator")
        try:
            chance = CODINGS["probability"].decode(one.get("value"), _SIDES, ((), ()))
        except DataError as error:
            raise DataError(f"'votes[{i}]': {error}") from None
        who = None if annotator is None else name_of(annotator, "annotator")
        result.append({"annotator": who, "value": chance})
    return result


def mean_vote(given: Sequence[Mapping[str, Any]]) -> float:
    """The label that votes amount to: their mean, a tie counting half; there is at least one."""
    return math.fsum(vote["value"] for vote in given) / len(given)


def name_of(value: object, name: str) -> str:
    """The name of a group or source, or an id: text or a whole number."""
    if isinstance(value, str | int | float):
        return sound(str(value))
    raise DataError(f"{name!r} should be text or a number; got {describe(value)}")


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


def time_of(value: object) -> float:
    """Seconds since 1970, from a number, a date, or ISO 8601 text (UTC unless it says)."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return number(value, "time")
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return number(value, "time")


def listed(value: object, name: str) -> list[Any]:
    """A list, or the JSON text of one (as in a CSV cell)."""
    if isinstance(value, str):
        try:
            value = json_value(value)
        except DataError:
            raise DataError(f"{name!r} should be a list; got {describe(value)}") from None
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    raise DataError(f"{name!r} should be a list; got {describe(value)}")
