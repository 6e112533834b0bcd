"""The smallest true difference that a test is likely to find: its exact power, solved for that.

Of real values the power is that of the noncentral t. Two models' right and wrong differ on few
rows, and a larger difference changes on how many. Either all of it comes on rows on which both
agreed, which then differ too (new); or the two trade errors, and as many rows differ as now
(traded), which is stated where these are enough. Nothing in the data tells which: new needs the
larger difference. `benchmarks/power.py` measures how often what is stated is found.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from surefoot.arrays import Floats

#: Chance with which the minimum detectable difference is found.
POWER = 0.8
#: Units that differ from which on their number is as good as normal.
_MANY = 1e4
#: Degrees of freedom from which on the law of an error is as good as at this number.
_SMOOTH = 100.0
_NODES, _HALVINGS = 16, 14
#: Share of the rows that differ up to which one of the two may win more of them than the other. A
#: larger one takes more rows than were seen to differ: then there is nothing to trade.
_TRADED = 0.7
#: An error that is known no better than this is approximate, as below 10 clusters.
_KNOWN = 9.0
#: Logarithm of the largest multiple of the present number of items that is looked at.
_ENDLESS = 20.0
#: A variance that does not count.
_NOTHING = 1e-30


@dataclass(frozen=True)
class Discordance:
    """How two models' right and wrong differ on the same rows."""

    difference: float  #: of accuracy
    error: float  #: its standard error, from items
    square: float  #: mean squared difference of a row
    size: float  #: difference of a row on which the two differ: 1, or less where some tie

    def enough(self, difference: float) -> bool:
        """Whether the rows that differ now are enough for a true difference of that size."""
        return self.size * difference <= _TRADED * self.square

    def square_at(self, difference: float, new: bool) -> float:
        """Mean squared difference of a row where the true difference is another, positive one."""
        seen = abs(self.difference)
        if seen:
            seen = max(seen - 2 * self.error**2 / seen, 0.0)  # less what chance gives
        more = self.size * (difference - seen) if new else 0.0
        return min(max(self.square + more, self.size * difference), self.size**2)

    def growth(self, difference: float, new: bool) -> float:
        """Variance from items where the true difference is another one, over the present."""
        there = self.square_at(difference, new) - difference**2
        return max(there, 0.0) / (self.square - self.difference**2)


@dataclass(frozen=True)
class TTest:
    """A t test of a difference, whose variance has a part from seeds and one that they share."""

    between: float  #: variance of the mean from draws on their own: of seeds; with one, of items
    freedom: float  #: degrees of freedom of that
    level: float  #: nominal coverage of the interval that must leave out 0
    shared: float = 0.0  #: variance that comes on top, because seeds share items
    doubt: float = 0.0  #: variance of that as it was estimated
    #: of the whole variance, what falls with the number of items. None: all.
    items: float | None = None
    discordance: Discordance | None = None  #: of right and wrong
    unit: float = 1.0  #: of the differences; variances are in its square, which may be no number

    def detectable(self, new: bool = True) -> float:
        """The true difference that is found with 80 % chance."""
        found, made_up = self._solved(new)
        return min(found * made_up, self._most) * self.unit

    def items_needed(self, difference: float) -> float | None:
        """How many items find a difference with that chance, over the present number."""
        d = np.array([abs(difference) / self.unit / self._solved(new=True)[1]])

        def lacking(log: float) -> float:
            return POWER - float(self.power(d, np.ones(1), True, math.exp(log))[0])

        if self.items == 0 or lacking(_ENDLESS) > 0:
            return None
        return math.exp(_where(lambda log: -lacking(log), -_ENDLESS, _ENDLESS))

    def power(self, differences: Floats, seen: Floats, new: bool, times: float = 1.0) -> Floats:
        """Chance to find each of M differences, shape (M,), over the law of the error.

        `seen` is what `between` is multiplied with, shape (M,), `new` where a difference of right
        and wrong comes from, and `times` how many items there are, over the present number.
        """
        grown = np.ones(len(differences)) / times
        if self.discordance is not None:
            grown = grown * [
                self.discordance.growth(d * self.unit, new) for d in differences.tolist()
            ]
        whole = self.between * seen + self.shared
        items = whole if self.items is None else np.minimum(self.items, whole)
        shared = grown * self.shared
        between = np.maximum(whole + (grown - 1) * items - shared, 0.0)
        drawn, weights = _chi_squared(min(self.freedom, _SMOOTH))
        parts = between[:, None] * drawn
        found = parts + shared[:, None]  # the variance as it is estimated
        doubt = parts**2 / self.freedom + (grown**2)[:, None] * self.doubt
        freedom = np.maximum(found**2 / np.maximum(doubt, _NOTHING), 1.0)
        critical = special.stdtrit(freedom, 0.5 + self.level / 2) * np.sqrt(found)
        error, d = np.sqrt(np.maximum(between + shared, _NOTHING))[:, None], differences[:, None]
        return (
            special.ndtr((d - critical) / error) + special.ndtr((-d - critical) / error)
        ) @ weights

    @property
    def _most(self) -> float:
        return math.inf if self.discordance is None else self.discordance.size / self.unit

    def _solved(self, new: bool) -> tuple[float, float]:
        """What is found with 80 % chance, and by how much it is too little on average.

        For that it is solved for each variance between seeds that these may give again.
        """
        drawn, weights = _chi_squared(min(self.freedom, _SMOOTH))
        seen = np.concatenate([[1.0], drawn])
        low, high = np.zeros(len(seen)), np.sqrt(self.between * seen + self.shared)
        while (lacking := (self.power(high, seen, new) < POWER) & (high < self._most)).any():
            high = np.minimum(np.where(lacking, 2 * high, high), self._most)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            short = self.power(middle, seen, new) < POWER
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return float(high[0]), float(high[0] / (high[1:] @ weights))


@dataclass(frozen=True)
class SignTest:
    """The test of two models' right and wrong: t over the units in which they differ."""

    discordance: Discordance  #: what is known of the two
    units: int  #: independent rows; of clusters, as many as would have the same error
    clusters: int  #: how many there are
    each: float  #: of how many of its units one has to differ for a cluster to be one that differs
    freedom: float  #: degrees of freedom of the error, whatever the number of units that differ
    known: float  #: degrees of freedom with which `units` is known
    level: float  #: nominal coverage of the interval that must leave out 0

    @property
    def approximate(self) -> bool:
        """Whether what is stated rests on the error of few clusters."""
        return self.known < _KNOWN

    def detectable(self, new: bool = True) -> float:
        """The true difference that is found with 80 % chance."""
        size = self.discordance.size
        found = _where(lambda d: self.power(d, self.units, new) - POWER, 0.0, size)
        return min(found * _unsure(self.known, self.level), size)

    def items_needed(self, difference: float) -> float | None:
        """How many items find a difference with that chance, over the present number."""
        d, size = abs(difference) / _unsure(self.known, self.level), self.discordance.size
        if d >= size:
            return None
        square = self.discordance.square_at(d, new=True)
        errors = float(special.ndtri(0.5 + self.level / 2) + special.ndtri(POWER))
        many = (square - d**2) * (errors / d) ** 2  # by the normal law
        if many * square / size**2 < _MANY:
            high = math.log(4 * many + 100)
            many = math.exp(
                _where(lambda log: self.power(d, round(math.exp(log)), True) - POWER, 1.0, high)
            )
        return many / self.units

    def power(self, difference: float, units: int, new: bool) -> float:
        """Chance with which a difference is found.

        Of the units, a binomial number differ, and of these a binomial number in one direction.
        """
        size = self.discordance.size
        share = self.discordance.square_at(difference, new) / size**2
        differ = _likely(units, share)
        clusters = self.clusters * units / self.units
        apart = clusters * (1 - (1 - differ / units) ** self.each)
        freedom = np.clip(apart - 1, 1.0, max(self.freedom, 1.0))
        t2 = special.stdtrit(freedom, 0.5 + self.level / 2) ** 2
        # The difference of both directions is beyond t errors from this number on.
        enough = np.floor((np.sqrt(t2 * differ * units / (units - 1 + t2)) + differ) / 2)
        one_way = min((1 + difference / size / share) / 2, 1.0) if share > 0 else 0.5
        beyond = sum(
            special.bdtrc(np.minimum(enough, differ), differ.astype(int), p)
            for p in (one_way, 1 - one_way)
        )
        return float(stats.binom.pmf(differ, units, share) @ np.where(enough < differ, beyond, 0.0))


def _where(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is 0; an end where it is not between the ends."""
    if of(low) >= 0:
        return low
    return high if of(high) <= 0 else float(optimize.brentq(of, low, high, xtol=1e-9, rtol=1e-4))


def _likely(n: int, share: float) -> Floats:
    """The numbers above 0 that a binomial law gives, but for some 1e-9 of the time."""
    mean = n * share
    reach = 6 * math.sqrt(mean * (1 - share)) + 6
    return np.arange(max(math.floor(mean - reach), 1.0), min(math.ceil(mean + reach), n) + 1.0)


@lru_cache(maxsize=256)
def _chi_squared(freedom: float) -> tuple[Floats, Floats]:
    """Nodes and weights of a chi-squared law over its degrees of freedom: by Gauss, from two on."""
    if freedom < 2:  # too steep at 0 for that
        tails = (np.arange(4 * _NODES) + 0.5) / (4 * _NODES)
        drawn = np.asarray(special.chdtri(freedom, tails) / freedom, dtype=np.float64)
        return drawn, np.full(len(tails), 1 / len(tails), dtype=np.float64)
    nodes, weights = special.roots_genlaguerre(_NODES, freedom / 2 - 1)
    return nodes / (freedom / 2), weights / weights.sum()


def _unsure(freedom: float, level: float) -> float:
    """By how much a difference that is found is larger where its error is known that well.

    The estimated deviation of a normal sample has mean c4 and variance 1 - c4^2. A quantile q of t
    times that varies, which takes a larger difference than q times a known one does; and what is
    stated is too small by c4 in the mean over repetitions, which is made up for.
    """
    half = max(freedom, 1.0) / 2
    if half > _MANY:
        return 1.0
    c4 = math.exp(special.gammaln(half + 0.5) - special.gammaln(half)) / math.sqrt(half)
    q, z = float(special.stdtrit(2 * half, 0.5 + level / 2)), float(special.ndtri(POWER))
    return (q * c4 + z * math.sqrt(1 + q**2 * (1 - c4**2))) / (q + z) / c4
