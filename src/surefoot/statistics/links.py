"""The link between margins and labels without a formula: isotonic regression, out of its fold."""

from __future__ import annotations

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import logit

from surefoot.arrays import Floats, Ints


def isotonic_link(margins: Floats, labels: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The growing link with the least squares, as log-odds between which lines are drawn.

    Which response is named first is free: P(-m) = 1 - P(m), so each pair is taken both ways. A step
    has half a label more for either side, so that no log-odds are infinite.

    Args:
        margins: (N,).
        labels: (N,) P(first preferred).
        weights: (N,), not negative, not all 0.

    Returns:
        margins (S,) of the steps' middles, growing, and log-odds there (S,).
    """
    m, y = np.concatenate([margins, -margins]), np.concatenate([labels, 1 - labels])
    w = np.concatenate([weights, weights])
    m, y, w = m[w > 0], y[w > 0], w[w > 0]
    m, tied = np.unique(m, return_inverse=True)  # one margin has one chance
    w, y = np.bincount(tied, w), np.bincount(tied, w * y)
    found = isotonic_regression(y / w, weights=w)
    begins = found.blocks[:-1]
    mass = np.add.reduceat(w, begins)
    middles = np.add.reduceat(w * m, begins) / mass
    return middles, logit((mass * found.x[begins] + 0.5) / (mass + 1))


def forward_log_odds(margins: Floats, labels: Floats, weights: Floats, fold: Ints) -> Floats:
    """Log-odds (N,) by the isotonic link of the folds before a row's own; NaN in the first.

    Args:
        margins: (N,) by a model that saw no label of a row's fold.
        labels: (N,) P(first preferred).
        weights: (N,), not negative.
        fold: (N,) from 0 on.
    """
    found = np.full(len(margins), np.nan)
    for k in range(1, int(fold.max(initial=0)) + 1):
        before, here = (fold < k) & (weights > 0), fold == k
        if before.any():
            link = isotonic_link(margins[before], labels[before], weights[before])
            found[here] = np.interp(margins[here], *link)
    return found
