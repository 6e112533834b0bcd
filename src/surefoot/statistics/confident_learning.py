"""How many labels are flipped, if a model is never surely wrong: confident learning.

Northcutt, Jiang and Chuang (1911.00068): a label counts as right where the model gives it at least
the chance that it gives labels on average, and as flipped where it gives its opposite as much. Of
preferences both classes are one, since which response is named first is free.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from surefoot.arrays import ArrayLike
from surefoot.statistics.estimate import Estimate, Scope
from surefoot.statistics.intervals import mean
from surefoot.statistics.ranges import SHARE

ASSUMPTION = "a model that is surer than on average is right"


def confident_flips(
    log_odds: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of flipped labels among those of which the model is surer than on average.

    Args:
        log_odds: (N,) that the first response is preferred, by a model that did not see the label.
        labels: (N,) P(first preferred); a soft one counts by its side, ties are left out.
        weights: (N,), not negative; None: equal ones.
        clusters: (N,) what the interval takes as shared; None: rows are independent.
        level: nominal coverage.

    Returns:
        The share, without a figure where the model is on average no surer than a coin.
    """
    z, y = np.asarray(log_odds, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    w = np.ones(len(z)) if weights is None else np.asarray(weights, dtype=np.float64)
    ids = np.arange(len(z)) if clusters is None else np.asarray(clusters)
    kept = (w > 0) & (y != 0.5)
    chance, w, ids = expit(z[kept] * np.sign(y[kept] - 0.5)), w[kept], ids[kept]
    covers = "labels that a model is sure of"
    usual = float(np.average(chance, weights=w)) if len(chance) else 0.0
    if usual <= 0.5:
        return Scope(0, covers, level).refused(None, "the model is no surer than a coin")
    flipped = 1 - chance >= usual
    sure = flipped | (chance >= usual)
    return mean(flipped[sure].astype(np.float64), ids[sure], w[sure], level, covers, SHARE)
