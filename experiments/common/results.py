"""Results as JSON that is short enough to be read and compared: rounded, in few lines."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: Digits of a number, at least: tables show fewer.
DIGITS = 6
#: Columns of a line: most rows of a table are one line, and a change of one is a change of a line.
WIDTH = 240
#: What estimates and comparisons repeat, and the keys that make one of either.
_REPEATED = {
    "level": {"estimate", "low", "high", "n"},
    "covers": {"estimate", "low", "high", "n"},
    "power": {"difference", "p_value"},
}
#: Where its most frequent value is kept.
_SHARED = "unless_said"


def written(figures: Mapping[str, Any]) -> str:
    """Figures as the text of a file."""
    content = _rounded(figures)
    counts: dict[str, Counter[Any]] = {}
    for one in _mappings(content):
        for key, of in _REPEATED.items():
            if one.keys() >= of | {key}:
                counts.setdefault(key, Counter())[one[key]] += 1
    shared = {key: found.most_common(1)[0][0] for key, found in counts.items()}
    for one in list(_mappings(content)):
        for key, value in shared.items():
            if one.keys() >= _REPEATED[key] and one.get(key) == value:
                del one[key]
    return "\n".join(_lines({_SHARED: shared} | content, "", 0)) + "\n"


def parsed(text: str) -> dict[str, Any]:
    """Figures, from the text of a file: those that were written, rounded."""
    content: dict[str, Any] = json.loads(text)
    shared = content.pop(_SHARED)
    for one in list(_mappings(content)):
        for key, value in shared.items():
            if one.keys() >= _REPEATED[key]:
                one.setdefault(key, value)
    return content


def read(place: Path) -> dict[str, Any]:
    """Figures of a file."""
    return parsed(place.read_text(encoding="utf-8"))


def _rounded(content: Any) -> Any:
    """A copy, JSON-ready, with few digits of each number."""
    if isinstance(content, Mapping):
        return {str(key): _rounded(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return _short(content) if isinstance(content, float) else content


def _short(value: float) -> float:
    """Six digits, and more where a table would else show others than before.

    >>> _short(0.123456789), _short(0.62149999)
    (0.123457, 0.62149999)
    """
    tries = (float(f"{value:.{digits}g}") for digits in range(DIGITS, 17))
    short = next((short for short in tries if _shown(short) == _shown(value)), value)
    settled = short == value or math.isnan(value)
    return short if settled else _short(short)  # which may have fewer again


def _shown(value: float) -> list[str]:
    """As it is, as a percentage, in hundredths and in thousandths."""
    shown = [f"{value:.{decimals}{kind}}" for kind in "f%" for decimals in range(DIGITS)]
    return shown + [f"{scale * value:.2f}" for scale in (100, 1000)]


def _mappings(content: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries in it."""
    if isinstance(content, dict):
        yield content
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from _mappings(one)


def _lines(value: Any, head: str, depth: int) -> Iterator[str]:
    """JSON, each object and list in one line where it fits; `head` names the value."""
    indent = " " * depth
    flat = indent + head + json.dumps(value, ensure_ascii=False, allow_nan=False)
    if not isinstance(value, dict | list) or not value or len(flat) < WIDTH:
        yield flat
        return
    named = isinstance(value, dict)
    yield indent + head + ("{" if named else "[")
    lines: list[str] = []
    for name, one in value.items() if named else (("", one) for one in value):
        inner = list(_lines(one, f"{json.dumps(name)}: " if named else "", depth + 1))
        single = not isinstance(one, dict | list) and lines and lines[-1][-1] not in "}]"
        if single and len(lines[-1]) + len(inner[0]) < WIDTH:  # numbers and words share a line
            lines[-1] += f", {inner[0].strip()}"
        else:
            if lines:
                lines[-1] += ","
            lines += inner
    yield from lines
    yield indent + ("}" if named else "]")
