"""Is a quantity beyond the size that matters? A test, its power, and how many rows would do.

The null is every size up to the one that matters, not only 0 (a minimum-effect test: Murphy and
Myors, Journal of Applied Psychology 1999), so that much data do not make much of little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import optimize
from scipy.special import ndtr, stdtr, stdtrit

from surefoot.arrays import Floats
from surefoot.statistics.estimate import Estimate, Scope

Sides = Literal["above", "either"]

#: Degrees of freedom below which an error is not known: where few clusters hold nearly all weight,
#: and happen to be alike, their residuals are small because the mean is theirs.
FEWEST_FREEDOM = 5.0
#: More rows than this are not asked for.
MOST_ROWS = 10**9


@dataclass(frozen=True)
class MinimumEffect:
    """An estimate against the size that matters."""

    value: float  #: the estimate; where no effect is 0, the effect is its distance from there
    error: float  #: its standard error; infinite where nothing is known
    freedom: float  #: degrees of freedom of the error
    matters: float  #: the size up to which nothing is found, at least 0
    #: `above`: only values above it count; `either`: those below its negative, too
    sides: Sides = "above"
    #: the value is the farthest out of this many, which the p-value allows for (Bonferroni)
    picked: int = 1

    @property
    def known(self) -> bool:
        """Whether the error says anything."""
        return math.isfinite(self.error) and self.freedom >= FEWEST_FREEDOM

    @property
    def p_value(self) -> float:
        """Chance of a value as far out where the true one is just the size that matters."""
        return float(self._beyond(abs(self.value) if self.sides == "either" else self.value))

    def _beyond(self, value: float | Floats) -> Floats:
        """The p-value of a value."""
        if not self.known:
            return np.ones_like(np.asarray(value, dtype=np.float64))
        if not self.error > 0:
            return np.where(np.asarray(value) > self.matters, 0.0, 1.0)
        chance = stdtr(self.freedom, (self.matters - value) / self.error)
        if self.sides == "either":
            chance = chance + stdtr(self.freedom, -(value + self.matters) / self.error)
        return np.minimum(self.picked * chance, 1.0)

    def estimate(self, n: int, covers: str, level: float = 0.95) -> Estimate:
        """The value with its interval, which allows for the choice where it was picked."""
        if not self.known:
            why = "fewer than six clusters, such as prompts, hold nearly all weight"
            return Scope(n, covers, level).refused(self.value, why)
        reach = -self.error * float(stdtrit(self.freedom, (1 - level) / 2 / self.picked))
        note = f"the interval allows for the choice among {self.picked}" if self.picked > 1 else ""
        low, high = self.value - reach, self.value + reach
        return Estimate(self.value, low, high, n, covers, level, note)

    def critical(self, alpha: float) -> float:
        """The value from which on the p-value is at most alpha."""
        if not self.known:
            return math.inf
        alone = alpha / self.picked
        if self.sides == "above" or not self.error > 0:
            return self.matters - self.error * float(stdtrit(self.freedom, alone))
        most = self.matters - self.error * float(stdtrit(self.freedom, alone / 2))
        return float(optimize.brentq(lambda v: float(self._beyond(v)) - alpha, 0.0, most + 1e-9))

    def power(self, effect: float, alpha: float) -> float:
        """Chance that a true effect of this size is found at level alpha."""
        if not self.known:
            return 0.0
        distance = (self.critical(alpha) - effect) / self.error if self.error > 0 else -math.inf
        return float(ndtr(-distance))

    def enough(self, effect: float, alpha: float, n: int, power: float = 0.8) -> int | None:
        """Rows at which a true effect of this size is found with this power.

        The error falls with the square root of the rows, and so do its degrees of freedom grow.

        Args:
            effect: the true effect.
            alpha: level of the test.
            n: rows that the estimate rests on.
            power: chance of finding it.

        Returns:
            None where the effect does not lie beyond the size that matters, or more than a
            thousand million rows are needed.
        """
        if effect <= self.matters or n < 1:
            return None

        def missing(log_n: float) -> float:
            ratio = math.exp(log_n) / n
            error, freedom = self.error / math.sqrt(ratio), self.freedom * ratio
            larger = replace(self, error=error, freedom=freedom)
            return larger.power(effect, alpha) - power

        if missing(math.log(MOST_ROWS)) < 0:
            return None
        if missing(0.0) >= 0:
            return 1
        return math.ceil(math.exp(optimize.brentq(missing, 0.0, math.log(MOST_ROWS))))
