"""A figure with its interval: what every measurement of surefoot ends in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

#: Of the JSON files of results.
SCHEMA_VERSION = 1
#: With more decimals than this, or above this, figures are written in powers of ten.
MOST_DECIMALS = 6
LARGEST = 1e12
_FIXED = re.compile(r"\.(\d+)f")


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval, and what the interval covers."""

    estimate: float | None  #: None only where there was nothing to measure (n = 0)
    low: float | None  #: lower end of the interval; None where one was refused (see `note`)
    high: float | None  #: upper end of the interval, or None
    n: int  #: number of values that the figure rests on
    covers: str  #: which repetition the interval speaks of, such as "test items"
    level: float = 0.95  #: nominal coverage of the interval
    note: str = ""  #: the reason for a refusal, or a caution
    #: the ends of the quantity; those of the interval are cut to them
    within: tuple[float, float] = field(default=(-math.inf, math.inf), repr=False)

    def __post_init__(self) -> None:
        lowest, highest = self.within
        for name in ("low", "high"):
            end = getattr(self, name)
            if end is not None and not lowest <= end <= highest:
                object.__setattr__(self, name, min(max(end, lowest), highest))

    @property
    def reliable(self) -> bool:
        """Whether the figure, and its interval if it has one, are finite numbers."""
        given = (self.estimate, self.low, self.high)
        return all(math.isfinite(value) for value in given if value is not None)

    def side(self, point: float) -> int:
        """1 where the interval lies above a point, -1 below, 0 where it holds it or there is none.

        >>> [Estimate(0.6, 0.5, 0.7, n=9, covers="x").side(point) for point in (0.4, 0.5, 0.8)]
        [1, 0, -1]
        """
        if self.low is None or self.high is None:
            return 0
        return 1 if self.low > point else -1 if self.high < point else 0

    def mapped(self, change: Callable[[float], float]) -> Estimate:
        """The figure of another quantity that rises with this one: interval and ends go along.

        >>> Estimate(0.6, 0.5, 0.7, n=9, covers="x", within=(0, 1)).mapped(lambda p: 2 * p - 1).low
        0.0
        """
        values = (self.estimate, self.low, self.high)
        estimate, low, high = (None if v is None else float(change(v)) for v in values)
        ends = float(change(self.within[0])), float(change(self.within[1]))
        return replace(self, estimate=estimate, low=low, high=high, within=ends)

    def to_dict(self) -> dict[str, Any]:
        """The form in every JSON result; `note` is present only where there is one.

        A number that is not finite is null, with `reliable` false and the number in the note.
        """
        numbers = {name: getattr(self, name) for name in ("estimate", "low", "high")}
        values: dict[str, Any] = {name: finite(number) for name, number in numbers.items()}
        values |= {"level": self.level, "n": self.n, "covers": self.covers}
        odd = [f"{k} is {v}" for k, v in numbers.items() if finite(v) != v]
        if odd:
            values["reliable"] = False
        note = "; ".join(filter(None, [self.note, *odd]))
        return {**values, "note": note} if note else values

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Estimate:
        """The figure that :meth:`to_dict` wrote.

        >>> seen = Estimate(0.612, 0.59, 0.634, n=1871, covers="test items", note="a caution")
        >>> Estimate.read(seen.to_dict()) == seen
        True
        """
        return cls(**{name: value for name, value in content.items() if name != "reliable"})

    def __format__(self, spec: str) -> str:
        """Figure and interval, each number in the format `spec` (`.3f` when empty).

        Fixed decimals are the fewest that are written: there are more where the interval would
        not be seen with them.

        >>> f"{Estimate(0.612, 0.59, 0.634, n=1871, covers='test items')}"
        '.612 [.590, .634]'
        >>> f"{Estimate(-0.00004, -0.0003, 0.0002, n=1871, covers='test items')}"
        '.0000 [-.0003, .0002]'
        """
        if self.estimate is None:
            return f"no figure ({self.note})"
        ends = [end for end in (self.low, self.high) if end is not None]
        figure, *interval = _written([self.estimate, *ends], spec or ".3f")
        if len(interval) < 2:
            return f"{figure} (no interval: {self.note})"
        return f"{figure} [{interval[0]}, {interval[1]}]"

    def __str__(self) -> str:
        return format(self, "")


class Result:
    """A frozen dataclass that JSON holds by its fields."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return fields_ready(self)


def json_ready(result: Any) -> Any:
    """A result for JSON: itself by its `to_dict`, or its items one by one; None stays None."""
    if hasattr(result, "to_dict"):
        return result.to_dict()
    if isinstance(result, Mapping):
        return {name: json_ready(one) for name, one in result.items()}
    if isinstance(result, tuple | list):
        return [json_ready(one) for one in result]
    return result.tolist() if hasattr(result, "tolist") else result


def fields_ready(result: Any, *left_out: str) -> dict[str, Any]:
    """The fields of a dataclass by name, for JSON, but for some."""
    names = (field.name for field in fields(result))
    return {name: json_ready(getattr(result, name)) for name in names if name not in left_out}


def finite_only(content: Any, where: str = "") -> tuple[Any, list[str]]:
    """A result for strict JSON, with null for numbers that are not finite, and where these were.

    Estimates that say so themselves (`reliable` is false) count too.

    >>> finite_only({"a": [1.0, math.nan], "b": {"reliable": False, "estimate": None}})
    ({'a': [1.0, None], 'b': {'reliable': False, 'estimate': None}}, ['a.1', 'b'])
    """
    if isinstance(content, float):
        return (content, []) if math.isfinite(content) else (None, [where])
    if isinstance(content, Mapping):
        items, keys = list(content.items()), True
    elif isinstance(content, list | tuple):
        items, keys = list(enumerate(content)), False
    else:
        return content, []
    made, lost = [], [where] if keys and content.get("reliable") is False else []
    for key, value in items:
        kept, odd = finite_only(value, f"{where}.{key}" if where else str(key))
        made.append((key, kept))
        lost += odd
    return (dict(made) if keys else [value for _, value in made]), lost


def finite(value: float | None) -> float | None:
    """A number for JSON: None where it is not finite."""
    return None if value is None or not math.isfinite(value) else value


def decimals(values: Iterable[float], fewest: int) -> int:
    """How many decimals show a figure, or figure and ends of an interval; never below `fewest`.

    The half-width of the interval (or the figure alone) must reach the last decimal, unless it is
    0.

    >>> decimals([0.612, 0.59, 0.634], 3), decimals([0.0001, -0.0004, 0.0006], 3), decimals([0], 3)
    (3, 4, 3)
    """
    given = [value for value in values if math.isfinite(value)]
    size = (max(given) - min(given)) / 2 if len(given) > 1 else abs(sum(given))
    return max(fewest, math.ceil(-math.log10(size) - 1e-9)) if size > 0 else fewest


def written(value: float, spec: str = ".3f") -> str:
    """One figure, with more decimals than asked for where it would not be seen.

    >>> written(0.0304), written(-0.00004), written(0.0)
    ('.030', '-.00004', '.000')
    """
    return _written([value], spec)[0]


def written_p(p_value: float) -> str:
    """A p-value with its sign, for a sentence.

    >>> written_p(0.0304), written_p(2e-9)
    ('p = .030', 'p < .001')
    """
    return f"p = {_short(p_value, '.3f')}" if p_value >= 0.001 else "p < .001"


def _written(values: list[float], spec: str) -> list[str]:
    fixed = _FIXED.fullmatch(spec)
    if fixed:
        needed = decimals(values, int(fixed[1]))
        plain = needed <= max(MOST_DECIMALS, int(fixed[1])) and max(map(abs, values)) < LARGEST
        spec = f".{needed}f" if plain else ".1e"
    return [_short(value, spec) for value in values]


def _short(value: float, spec: str) -> str:
    text = format(value, spec)
    if not math.isfinite(value) or abs(value) >= 1 or "e" in text:
        return text
    if text.startswith("-") and float(text) == 0:
        text = text[1:]
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


class Scope(NamedTuple):
    """What an estimate is over: everything that is known of it before it is computed."""

    n: int  #: number of values
    covers: str  #: which repetition the interval speaks of
    level: float  #: nominal coverage
    within: tuple[float, float] = (-math.inf, math.inf)  #: the ends of the quantity

    def refused(self, estimate: float | None, reason: str) -> Estimate:
        """An estimate without an interval, with the reason."""
        return Estimate(estimate, None, None, self.n, self.covers, self.level, reason, self.within)

    def interval(self, value: float, low: float, high: float, note: str = "") -> Estimate:
        """An estimate whose interval holds it; without one where an end is beyond floats."""
        if not (math.isfinite(low) and math.isfinite(high)):
            reason = "not reliable: the values are too large or too small for an interval"
            return self.refused(value, reason)
        low, high = min(low, value), max(high, value)
        return Estimate(value, low, high, self.n, self.covers, self.level, note, self.within)
