"""Between which ends a quantity lies, and how far a mean can lie beyond what was seen of it.

An interval that rests on the values seen knows nothing of values that are too rare to have been
seen. Where a quantity has ends, they bound what those can do: a share q of all units can be unseen
in n of them with chance (1 - q)^n, and each unit of it can lie at an end of its range.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Floats


@dataclass(frozen=True, eq=False)
class Range:
    """The ends of a quantity: of all its values, or of each row."""

    #: numbers, infinite where there is no end; or shape (N,), the ends of each row, such as the
    #: log-loss of each prediction under either label
    lowest: float | Floats = -math.inf
    highest: float | Floats = math.inf

    @classmethod
    def over_labels(cls, score: Callable[[Floats], Floats], n: int) -> Range:
        """The range of each of n rows whose score, linear in the label, may have had any label.

        >>> wide = Range.over_labels(lambda y: np.abs(y - np.array([0.9, 0.5])), 2)
        >>> wide.lowest.round(2).tolist(), wide.highest.round(2).tolist()
        ([0.1, 0.5], [0.9, 0.5])
        """
        ends = score(np.zeros(n)), score(np.ones(n))
        return cls(np.minimum(*ends), np.maximum(*ends))

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest value of any row."""
        if np.size(self.lowest) == 0:
            return -math.inf, math.inf
        return float(np.min(self.lowest)), float(np.max(self.highest))

    @property
    def finite(self) -> bool:
        """Whether both ends are finite."""
        return all(map(math.isfinite, self.ends))

    def rows(self, at: npt.NDArray[np.generic]) -> Range:
        """The range of some rows."""
        if np.ndim(self.lowest) == 0 and np.ndim(self.highest) == 0:
            return self
        return Range(*(e if np.ndim(e) == 0 else np.asarray(e)[at] for e in self._both()))

    def check(self, values: Floats) -> None:
        """Refuse values outside.

        Raises:
            ValueError: a value lies outside, or the ends have another shape; the message says
                where.
        """
        for end in self._both():
            if np.ndim(end) and np.shape(end) != values.shape:
                raise ValueError(f"a range of rows has shape {values.shape}; got {np.shape(end)}.")
        slack = 1e-9 * np.maximum(1.0, np.abs(values))
        wrong = np.flatnonzero((values < self.lowest - slack) | (values > self.highest + slack))
        if len(wrong):
            low, high = self.ends
            raise ValueError(
                f"values lie in [{low:g}, {high:g}]; got {values[wrong[0]]} at position {wrong[0]}."
            )

    def unseen(self, values: Floats, weights: Floats, units: int) -> Unseen:
        """What values that were not seen can do to the mean of N weighted ones.

        Of the rows, or clusters of rows, so many `units` share nothing.
        """
        shares = weights / weights.sum()
        return Unseen(
            float(shares @ values),
            float(shares @ (values - self.lowest)),
            float(shares @ (self.highest - values)),
            units,
        )

    def _both(self) -> tuple[float | Floats, float | Floats]:
        return self.lowest, self.highest


@dataclass(frozen=True)
class Unseen:
    """How far a mean can lie from the mean of what was seen."""

    mean: float  #: of what was seen
    down: float  #: how far the lower end lies from it on average; infinite without an end
    up: float  #: the same of the upper end
    units: int  #: independent ones

    def ends(self, level: float) -> tuple[float, float]:
        """Lowest and highest mean if all that was missed lies at an end.

        The share of all units that `units` of them can have missed: (1 - share)^units = 1 - level.
        """
        share = -math.expm1(math.log1p(-level) / self.units)
        return self.mean - share * self.down, self.mean + share * self.up

    def chance_of(self, point: float) -> float:
        """1 less the level at which an end reaches a point: 0 where the mean cannot lie there."""
        room = self.down if point < self.mean else self.up
        far = abs(point - self.mean)
        if far == 0:
            return 1.0
        return 0.0 if far >= room or math.isinf(room) else (1 - far / room) ** self.units


#: Right or wrong, shares, probabilities.
SHARE = Range(0.0, 1.0)
#: Differences of these.
SHARE_DIFFERENCE = Range(-1.0, 1.0)
#: Lengths, ratios.
NOT_NEGATIVE = Range(0.0, math.inf)
UNBOUNDED = Range()


def as_one(values: Floats) -> bool:
    """Whether values differ by nothing but rounding, shape (N,)."""
    with np.errstate(over="ignore"):
        return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
