"""Single values of a row: numbers, votes, times, and labels in the codings that people use.

Everything here raises a :class:`DataError` that says what was found, without the place, which the
caller adds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from surefoot.boundary.json_texts import json_value
from surefoot.data.text import describe, sound
from surefoot.errors import DataError

#: How numbers say which response won: `probability` of the first, or its `position` (0: a tie).
Coding = Literal["probability", "position"]

_WORDS = {
    **dict.fromkeys(("a", "a1", "first", "left", "model_a", "response_a", "output_a"), 1.0),
    **dict.fromkeys(("model_1", "output_1", "response_1", "answer_1"), 1.0),
    **dict.fromkeys(("b", "a2", "second", "right", "model_b", "response_b", "output_b"), 0.0),
    **dict.fromkeys(("model_2", "output_2", "response_2", "answer_2"), 0.0),
    **dict.fromkeys(("tie", "equal", "both", "draw", "tie (bothbad)", "both_bad"), 0.5),
}
_POSITIONS = {1.0: 1.0, 2.0: 0.0, 0.0: 0.5}
_ANNOTATOR = ("annotator", "worker", "rater", "evaluator", "annotator_id", "worker_id")
_VALUE = ("value", "vote", "label", "preference")


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


def preference(value: object, name: str, coding: Coding) -> float:
    """P(first preferred), from a number in that coding or from a word such as `a`, `b` or `tie`."""
    if isinstance(value, str) and value.strip().casefold() in _WORDS:
        return _WORDS[value.strip().casefold()]
    if coding == "probability":
        return probability(value, name)
    position = number(value, name)
    if position not in _POSITIONS:
        raise DataError(f"{name!r} should be 1 or 2 (the better one) or 0 (a tie); got {value!r}")
    return _POSITIONS[position]


def votes(value: object, coding: Coding = "probability") -> list[dict[str, Any]]:
    """Votes as a list of annotator and value; each vote a number, a word, or a mapping."""
    result = []
    for i, vote in enumerate(listed(value, "votes")):
        fields = vote if isinstance(vote, Mapping) else {"value": vote}
        annotator = next((fields[key] for key in _ANNOTATOR if key in fields), None)
        given = next((fields[key] for key in _VALUE if key in fields), None)
        result.append(
            {
                "annotator": None if annotator is None else name_of(annotator, "annotator"),
                "value": preference(given, f"votes[{i}]", coding),
            }
        )
    return result


def mean_vote(given: Sequence[Mapping[str, Any]]) -> float:
    """The label that votes amount to: their mean, a tie counting half."""
    if not given:
        raise DataError("'votes' is empty and there is no label")
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
