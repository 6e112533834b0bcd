"""A figure with its interval: what every measurement of surefoot ends in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval, and what the interval covers.

    Attributes:
        estimate: the figure; None only where there was nothing to measure (n = 0).
        low: lower end of the interval, or None where an interval was refused (see `note`).
        high: upper end of the interval, or None.
        level: nominal coverage of the interval.
        n: number of values that the figure rests on.
        covers: which repetition the interval speaks of, such as "test items".
        note: the reason for a refusal, or a caution.
    """

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    covers: str
    level: float = 0.95
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The form in every JSON result; `note` is present only where there is one."""
        values: dict[str, Any] = {
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "n": self.n,
            "covers": self.covers,
        }
        return {**values, "note": self.note} if self.note else values

    def __format__(self, spec: str) -> str:
        """Figure and interval, each number in the format `spec` (`.3f` when empty).

        >>> f"{Estimate(0.612, 0.59, 0.634, n=1871, covers='test items')}"
        '.612 [.590, .634]'
        """
        if self.estimate is None:
            return f"no figure ({self.note})"
        figure = _short(self.estimate, spec)
        if self.low is None or self.high is None:
            return f"{figure} (no interval: {self.note})"
        return f"{figure} [{_short(self.low, spec)}, {_short(self.high, spec)}]"

    def __str__(self) -> str:
        return format(self, "")


def _short(value: float, spec: str) -> str:
    text = format(value, spec or ".3f")
    if not math.isfinite(value) or abs(value) >= 1:
        return text
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def refused(estimate: float | None, n: int, covers: str, level: float, reason: str) -> Estimate:
    """An estimate without an interval, with the reason."""
    return Estimate(estimate, None, None, n=n, covers=covers, level=level, note=reason)
