"""How many single labels are flipped, if margins are right up to their scale.

A label prefers the first response with chance p = (1 - e) sigma(a m) + e sigma(-a m), margin m,
scale a, flip rate e (forward correction: Patrini et al., 1609.13944; for preferences 2509.24159 and
2512.00709). Both are fitted by maximum likelihood. That flips and hard pairs can be distinguished
at all rests on the shape of sigma: see :data:`ASSUMPTION`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import expit, log_expit

from surefoot.arrays import ArrayLike, Floats
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.profiles import profile_drop

ASSUMPTION = (
    "without flips, the chance of a label would be logistic in the margin of a model that did not "
    "see it, as far as its largest margins reach, and hard pairs are flipped no more than others "
    "(where they are, the figure is too low)"
)
#: An interval wider than this says nothing that one could act on.
WIDEST = 0.1
_RATES = np.concatenate([[0.0], np.geomspace(1e-4, 0.495, 60)])
_SCALES = (1e-3, 1e3)
#: Times the median margin; the farther ones count as no farther.
_ABSURD = 1e6
#: Groups of neighbouring margins, at most.
_MOST = 4096


@dataclass(frozen=True)
class FlipMixture:
    """What single labels say of flips."""

    rate: Estimate  #: share of labels that were flipped, with the profile interval
    scale: float  #: a, by which margins are multiplied to be log-odds of unflipped labels

    def flipped(self, margins: ArrayLike, labels: ArrayLike) -> Floats:
        """Chance that each label was flipped, (N,); 0 for ties.

        Args:
            margins: (N,) from a model that did not see the label.
            labels: (N,) P(first preferred); of a soft label the side that it is on counts.
        """
        y, e = np.asarray(labels, dtype=np.float64), float(self.rate.estimate or 0.0)
        z = self.scale * np.asarray(margins, dtype=np.float64) * np.sign(y - 0.5)
        against = e * expit(-z)
        chance = against / np.maximum(against + (1 - e) * expit(z), 1e-300)
        return np.where(y == 0.5, 0.0, chance)


def flip_mixture(
    margins: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> FlipMixture:
    """Fit flip rate and scale to labels.

    The interval holds the rates whose best likelihood is not far below the best of all (a profile
    interval), as far as the rate's variance with clusters, by the sandwich, is larger than without.
    Of many rows those of neighbouring margins count as one margin.

    Args:
        margins: (N,) of a model that did not see the labels.
        labels: (N,) P(first preferred); ties are left out.
        weights: (N,), not negative; None: equal ones.
        level: of the interval.
        clusters: (N,) what rows share; None: rows are independent.
    """
    m, y = np.asarray(margins, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    w = np.ones(len(m)) if weights is None else np.asarray(weights, dtype=np.float64)
    telling = (w > 0) & (m != 0) & (y != 0.5)
    shared = None if clusters is None else np.asarray(clusters)[telling]
    m, y, w = m[telling], y[telling], w[telling]
    n, covers = len(m), "labels"
    if n < 2:
        return FlipMixture(
            Estimate(None, None, None, n, covers, level, "no label has a margin"), 1.0
        )
    w = w / w.max()
    w = w * (w.sum() / np.square(w).sum())  # as many equal weights as say as much
    unit = float(np.median(np.abs(m)))
    with np.errstate(over="ignore"):
        z = np.minimum(np.abs(m) / unit, _ABSURD)
    with_margin = np.where(m > 0, y, 1 - y)  # how far the label goes with the margin
    at, kept, turned = _grouped(z, w * with_margin, w * (1 - with_margin))

    def best_scale(rate: float) -> tuple[float, float]:
        """The scale that fits best at a rate, and less the log-likelihood there."""

        def loss(log_scale: float) -> float:
            a, b = _mixed(rate, np.exp(log_scale) * at)
            return -float(kept @ a + turned @ b)

        ends = (float(np.log(_SCALES[0])), float(np.log(_SCALES[1])))
        found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-4})
        return float(np.exp(found.x)), float(found.fun)

    profile = np.array([best_scale(rate)[1] for rate in _RATES.tolist()])
    k = int(profile.argmin())
    low, high = _RATES[max(k - 1, 0)], _RATES[min(k + 1, len(_RATES) - 1)]
    polished = minimize_scalar(
        lambda rate: best_scale(rate)[1], bounds=(low, high), method="bounded"
    )
    rate, least = float(_RATES[k]), float(profile[k])
    if polished.fun < least:
        rate, least = float(polished.x), float(polished.fun)
    scale = best_scale(rate)[0]
    p = expit(scale * z)
    slopes = np.stack([1 - 2 * p, (1 - 2 * rate) * p * (1 - p) * scale * z], axis=1)
    chance = rate + (1 - 2 * rate) * p  # of a label that goes with its margin
    edge = least + float(profile_drop(chance, slopes, with_margin, w, shared, level)[0])

    def above(at: float) -> float:
        return best_scale(at)[1] - edge

    ends = _crossing(above, profile - edge, rate, -1), _crossing(above, profile - edge, rate, 1)
    note = "" if ends[1] < _RATES[-1] else "labels like coins fit as well"
    estimate = Estimate(rate, *ends, n, covers, level, note, within=(0.0, 0.5))
    return FlipMixture(estimate, scale / unit)


def _mixed(rate: float, z: Floats) -> tuple[Floats, Floats]:
    """Log-chances of labels with and against margins (N,), in log-odds, at a flip rate."""
    a, b = log_expit(z), log_expit(-z)
    if not rate:
        return a, b
    keep, turn = np.log1p(-rate), np.log(rate)
    return np.logaddexp(keep + a, turn + b), np.logaddexp(keep + b, turn + a)


def _grouped(z: Floats, kept: Floats, turned: Floats) -> tuple[Floats, Floats, Floats]:
    """Rows (N,) as at most so many groups of neighbours, at their mean margin."""
    if len(z) <= _MOST:
        return z, kept, turned
    order = np.argsort(z, kind="stable")
    first = np.linspace(0, len(z), _MOST, endpoint=False).astype(np.int64)
    sums = [np.add.reduceat(one[order], first) for one in (z * (kept + turned), kept, turned)]
    return sums[0] / (sums[1] + sums[2]), sums[1], sums[2]


def _crossing(above: Callable[[float], float], excess: Floats, rate: float, way: int) -> float:
    """Where the profile leaves the interval, from the best rate down (-1) or up (1).

    Its excess over the edge is `above`, known at the rates of the grid.
    """
    beyond = np.flatnonzero((excess > 0) & (way * (_RATES - rate) > 0))
    if not len(beyond):
        return float(_RATES[0 if way < 0 else -1])
    outer = int(beyond[-1] if way < 0 else beyond[0])
    inside = float(_RATES[outer - way])
    if excess[outer - way] > 0 or way * (inside - rate) < 0:
        inside = rate
    return float(brentq(above, inside, float(_RATES[outer]), xtol=1e-5))
