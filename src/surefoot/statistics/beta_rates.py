"""The mean flip rate of votes where pairs differ in it, by a law that says how they may differ.

Of a pair's k votes as many are flipped as a beta-binomial law says (Skellam 1948): its rate is
drawn from a beta law. Which response is the right one is not known, so only the split of the votes
counts: s of k on one side, k - s on the other. Two and three votes say one thing, how often two
disagree; from four votes on the splits say the mean and the spread of the rates.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import betaln
from scipy.stats import chi2

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.statistics.dependence import Dependence, in_one_unit, spread
from surefoot.statistics.estimate import Estimate, Scope
from surefoot.statistics.flip_rate import ENOUGH_VOTES, disagreement_of

ASSUMPTION = "the flip rates of pairs follow a beta law"
_MEANS = np.concatenate([np.geomspace(1e-4, 0.05, 12), np.linspace(0.06, 0.5, 45)])
#: Logits of the correlation of two flips on a pair: from one rate of all pairs to rates of 0 or 1.
_LOGITS = (-11.5, 11.5)


def flip_rate_of_beta(
    first: ArrayLike,
    votes: ArrayLike,
    level: float = 0.95,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
) -> Estimate:
    """Fit the mean rate, at most 1/2, by maximum likelihood, with its profile interval.

    Pairs count as many as say as much: fewer where weights differ, and where clusters make the
    error of the mean disagreement larger.

    Args:
        first: (N,) votes for the first response, of each pair.
        votes: (N,) votes for either; pairs with fewer than two are left out.
        level: nominal coverage of the interval.
        weights: (N,) of pairs, not negative; default: equal ones.
        clusters: (N,) what pairs share; default: they are independent.

    Returns:
        The estimate; without a figure where no pair has four votes.
    """
    a, k = (np.rint(np.asarray(side)).astype(np.int64) for side in (first, votes))
    w = np.ones(len(k)) if weights is None else np.asarray(weights, dtype=np.float64)
    heard = (k >= 2) & (w > 0)
    shared = None if clusters is None else np.asarray(clusters)[heard]
    a, k, w = a[heard], k[heard], w[heard]
    scope = Scope(len(k), "pairs with two votes or more", level, (0.0, 0.5))
    if not (k >= ENOUGH_VOTES).any():
        return scope.refused(None, "no pair has four votes")
    w = in_one_unit(w)
    w = w * (w.sum() / np.square(w).sum() / _inflation(disagreement_of(a, k), w, shared))
    (k, s), split = np.unique(np.stack([k, np.minimum(a, k - a)]), axis=1, return_inverse=True)
    counts = np.bincount(split.reshape(-1), w)

    def best(mean: float) -> float:
        """Less the log-likelihood of a mean rate, at the correlation that fits it best."""

        def loss(logit: float) -> float:
            correlation = 1 / (1 + np.exp(-logit))
            total = (1 - correlation) / correlation
            return -float(counts @ _log_chances(s, k, mean * total, (1 - mean) * total))

        return float(minimize_scalar(loss, bounds=_LOGITS, method="bounded").fun)

    profile = np.array([best(mean) for mean in _MEANS.tolist()])
    at = int(profile.argmin())
    around = float(_MEANS[max(at - 1, 0)]), float(_MEANS[min(at + 1, len(_MEANS) - 1)])
    polished = minimize_scalar(best, bounds=around, method="bounded", options={"xatol": 1e-5})
    rate, least = float(_MEANS[at]), float(profile[at])
    if polished.fun < least:
        rate, least = float(polished.x), float(polished.fun)
    edge = least + float(chi2.ppf(level, 1)) / 2

    def end(outside: Floats, limit: float) -> float:
        return (
            float(brentq(lambda mean: best(mean) - edge, outside[0], rate, xtol=1e-4))
            if len(outside)
            else limit
        )

    low = end(_MEANS[(profile > edge) & (rate > _MEANS)][::-1], 0.0)
    high = end(_MEANS[(profile > edge) & (rate < _MEANS)], 0.5)
    return scope.interval(rate, low, high, ASSUMPTION)


def _inflation(disagreement: Floats, weights: Floats, clusters: Any) -> float:
    """By how much clusters raise the variance of the mean disagreement (N,), at least 1."""
    if clusters is None:
        return 1.0
    alone, shared = (
        spread(disagreement, Dependence.of(ids, len(weights)), weights).error
        for ids in (None, clusters)
    )
    return max(float(shared / alone) ** 2, 1.0) if 0 < alone < np.inf > shared else 1.0


def _log_chances(s: Ints, k: Ints, a: float, b: float) -> Floats:
    """Of splits (G,) of s against k - s, up to a constant: either side may be the flipped one."""
    return np.logaddexp(betaln(s + a, k - s + b), betaln(k - s + a, s + b)) - betaln(a, b)
