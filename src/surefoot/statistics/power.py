"""The smallest true difference that a test is likely to find."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from scipy import special, stats

#: Chance with which the minimum detectable difference is found.
POWER = 0.8
#: Of a difference beyond the one seen, the share that comes as further rows that differ: all of it
#: where one model mends what the other leaves, none where their errors change places. With .85 the
#: power was .75 to .84 in worlds of 1 to 30 % discordant rows and of 20 to 200 clusters.
_NEW = 0.85


def detectable(error: float, freedom: float, level: float) -> float:
    """The true difference that a t test finds with 80 % chance.

    Args:
        error: standard error of the difference, as estimated.
        freedom: degrees of freedom of that estimate.
        level: nominal coverage of the interval that must leave out 0.
    """
    return error * _errors(round(max(freedom, 1.0), 3), level)


@lru_cache(maxsize=4096)
def _errors(freedom: float, level: float) -> float:
    """The non-centrality at which t is beyond its quantile with 80 % chance, in errors.

    An error estimated with few degrees of freedom is too small on average, by c4 (that of a
    normal sample's deviation), which is made up for: the mean over repetitions is right.
    """
    critical = float(stats.t.ppf(0.5 + level / 2, freedom))
    if freedom > 1e4:
        return critical + float(special.ndtri(POWER))
    shift = float(special.nctdtrinc(freedom, 1 - POWER, critical))
    half = freedom / 2
    c4 = math.exp(special.gammaln(half + 0.5) - special.gammaln(half)) / math.sqrt(half)
    return shift / c4


@dataclass(frozen=True)
class Discordance:
    """What two models' right and wrong on the same items say of how they differ.

    Attributes:
        difference: of accuracy.
        error: its standard error, from items.
        square: mean squared difference of a row: the share of rows that differ, where none ties.
        units: clusters.
        discordant: of these, the ones in which any row differs.
        rows: how many.
        freedom: degrees of freedom of the error, whatever the discordant units say.
    """

    difference: float
    error: float
    square: float
    units: int
    discordant: int
    rows: int
    freedom: float

    def detectable(self, level: float) -> float:
        """The difference that is found with 80 % chance, at most 1.

        A larger difference comes with more rows that differ; error and degrees of freedom are
        taken there.
        """
        found = self.error
        for _ in range(100):
            before = found
            needed = detectable(self.error_at(found), self.freedom_at(found), level)
            found = (found + min(needed, 1.0)) / 2
            if abs(found - before) < 1e-6 * found:
                break
        return found

    def error_at(self, difference: float) -> float:
        """Standard error where the true difference is another one."""
        square = min(max(self.square + self._more(difference), abs(difference)), 1.0)
        ratio = (square - difference**2) / (self.square - self.difference**2)
        return self.error * math.sqrt(max(ratio, 0.0))

    def freedom_at(self, difference: float) -> float:
        """Degrees of freedom there: also bounded by the units that differ, less one."""
        discordant = min(self.discordant + self._more(difference) * self.rows, self.units)
        return max(min(self.freedom, discordant - 1), 1.0)

    def _more(self, difference: float) -> float:
        """Share of further rows that differ; below 0 for a difference below the one seen."""
        seen = math.sqrt(max(self.difference**2 - self.error**2, 0.0))  # less what chance gives
        return _NEW * (abs(difference) - seen)


@lru_cache(maxsize=4096)
def detectable_one_way(units: int, level: float) -> float:
    """The share of units with a difference, all in one direction, that is found where none was.

    The t test over units finds a difference from some number k of discordant ones on; that many
    come with 80 % chance where k - 1 or fewer have the chance 1/5 under the binomial law.
    """
    needed = next((k for k in range(2, units) if _found(k, units, level)), units)
    return float(stats.beta.ppf(POWER, needed, units - needed + 1))


def _found(discordant: int, units: int, level: float) -> bool:
    """Whether the test finds a difference where this many units differ, all by 1."""
    share = discordant / units
    error = math.sqrt(share * (1 - share) / (units - 1))
    return share / error > stats.t.ppf(0.5 + level / 2, discordant - 1)
