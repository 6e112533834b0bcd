"""From margins to probabilities: one temperature, fitted in one place, for every kind of scorer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

from surefoot.arrays import ArrayLike, Floats

#: Every probability of a preference lies in [LEAST, 1 - LEAST]. To bear out one beyond, by the rule
#: of succession, would take a million held-out pairs like it that were all in order.
LEAST = 1e-6

#: Held-out pairs below which a temperature is a rough guess.
FEWEST = 50

#: Logarithms of the slope, in units of the median margin, among which optima are looked for.
_GRID = np.linspace(-10, 10, 81)

#: Times the median margin; the two further pairs have none that is larger.
_ABSURD = 1000.0

_FLAT = (
    "The held-out pairs are ordered no better than by chance: every probability is about 1/2. The "
    "order of responses is not to be relied on either."
)


class Temperature(NamedTuple):
    """A fitted temperature."""

    value: float  #: T; sigma(margin / T) is P(a preferred)
    note: str  #: a sentence where the pairs hardly say; else empty


def to_probabilities(margins: ArrayLike, temperature: float) -> Floats:
    """P(a preferred), sigma(margin / T), any shape: never nearer to 0 or 1 than :data:`LEAST`."""
    chances = expit(np.asarray(margins, dtype=np.float64) / temperature)
    return np.asarray(np.clip(chances, LEAST, 1 - LEAST))


def fit_temperature(
    margins: ArrayLike, labels: ArrayLike, mass: ArrayLike, flip_rate: float = 0.0
) -> Temperature:
    """The T for which sigma(margin / T) is the likeliest P(a preferred), as n pairs can say it.

    Pairs that are all in order would have a temperature of 0 and certainty. So the n pairs are
    joined by one right and one wrong pair, spread over margins like theirs: to the log-likelihood
    is added mean(log sigma(m / T) + log sigma(-m / T)). Without flips these are the smoothed
    targets (n y + 1) / (n + 2) of Platt (1999), which come of the rule of succession; stated so,
    the two are pairs with true labels, and also bound T where labels may be flipped. They change a
    temperature by the order of 1/n.

    The likelihood is that of the probabilities as they are given out, none below :data:`LEAST`: a
    single pair with an absurd margin does not decide. It can have several optima, with a flip rate
    above all: those that a grid shows are polished, and the best is taken.

    Args:
        margins: (N,) from a scorer that did not see the pair.
        labels: (N,) P(a preferred) as observed.
        mass: (N,) weight of each pair; n is the number of equal weights that say as much.
        flip_rate: share of labels taken to be flipped: the likelihood is that of the observed
            labels, the probability that of the clean ones.
    """
    m, y, weight = (np.asarray(v, dtype=np.float64) for v in (margins, labels, mass))
    telling = (weight > 0) & (m != 0)
    m, y, weight = m[telling], y[telling], weight[telling]
    if not len(m):  # every pair a tie: any temperature says 1/2
        return Temperature(1.0, "No held-out pair has a margin: the temperature is not fitted.")
    weight = weight / weight.max()
    n = float(weight.sum() ** 2 / np.square(weight).sum())
    weight = weight / weight.sum()
    scale = float(np.median(np.abs(m)))
    units = m / scale

    def loss(log_slope: float) -> float:
        """Less the log-likelihood of a slope, with the two further pairs, per pair."""
        z = units * np.exp(log_slope)
        right, wrong = log_expit(z), log_expit(-z)  # of true labels
        if flip_rate:
            kept, flipped = np.log1p(-flip_rate), np.log(flip_rate)
            right, wrong = (
                np.logaddexp(kept + one, flipped + other)
                for one, other in ((right, wrong), (wrong, right))
            )
        right, wrong = np.maximum([right, wrong], np.log(LEAST))
        like_theirs = np.clip(units, -_ABSURD, _ABSURD) * np.exp(log_slope)
        further = log_expit(like_theirs) + log_expit(-like_theirs)
        return float(-(weight @ (n * (y * right + (1 - y) * wrong) + further)) / (n + 2))

    slope = min(_optima(loss), key=loss)
    note = _FLAT if slope <= _GRID[1] else _note(m, y, weight, n, flip_rate)
    return Temperature(scale / float(np.exp(slope)), note)


def _optima(loss: Callable[[float], float]) -> Iterator[float]:
    """Every local optimum that the grid shows, polished."""
    values = np.array([loss(at) for at in _GRID])
    walled = np.concatenate([[np.inf], values, [np.inf]])
    lowest = (walled[1:-1] <= walled[:-2]) & (walled[1:-1] <= walled[2:])
    for k in np.flatnonzero(lowest).tolist():
        ends = float(_GRID[max(k - 1, 0)]), float(_GRID[min(k + 1, len(_GRID) - 1)])
        yield float(_GRID[k])
        yield float(minimize_scalar(loss, bounds=ends, method="bounded").x)


def _note(m: Floats, y: Floats, weight: Floats, n: float, flip_rate: float) -> str:
    """What a reader should know of these pairs."""
    decided = y != 0.5
    if decided.any():
        in_order = np.where(m > 0, y, 1 - y)  # of a soft label, as much as it says
        share = float(weight[decided] @ in_order[decided] / weight[decided].sum())
        if share > 1 - flip_rate - 1e-12:
            named = f" (more than a flip rate of {flip_rate:g} leaves)" if flip_rate else ""
            return (
                f"{share:.0%} of the {len(m)} held-out pairs are in order{named}: they do not say "
                "how sure is too sure. Probabilities are as if one pair more had been right and "
                "one wrong. Hold out more pairs before probabilities are relied on."
            )
    if n < FEWEST:
        return (
            f"The temperature rests on {n:.0f} held-out pairs: probabilities are a rough guess "
            f"below some {FEWEST}. The order of responses is not affected."
        )
    return ""
