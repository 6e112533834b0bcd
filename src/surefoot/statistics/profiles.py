"""How far below its best a likelihood may lie in a profile interval, where rows share clusters."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from surefoot.arrays import ArrayLike, Floats
from surefoot.statistics.dependence import Dependence


def profile_drop(
    chance: Floats,
    slopes: Floats,
    labels: Floats,
    weights: Floats,
    clusters: ArrayLike | None,
    level: float,
) -> Floats:
    """For each of K parameters of the chances of labels, the drop of the log-likelihood (K,).

    Half the squared quantile of Student's t of the clusters, times by how much these raise the
    variance of the parameter, at least 1: the sandwich with clusters over the one without. The
    likelihood ratio of clustered rows, so scaled, is about chi-squared (Rotnitzky and Jewell,
    Biometrika 1990).

    Args:
        chance: (N,) that the first is preferred, as fitted.
        slopes: (N, K) derivatives of it.
        labels: (N,) P(first preferred).
        weights: (N,) positive, their sum the number of rows that say as much.
        clusters: (N,) what rows share; None: rows are independent.
        level: nominal coverage.
    """
    dependence = Dependence.of(clusters, len(chance))
    variance = np.maximum(chance * (1 - chance), 1e-12)
    scores = (weights * (labels - chance) / variance)[:, None] * slopes
    inverse = np.linalg.pinv((slopes * (weights / variance)[:, None]).T @ slopes)
    alone, shared = (
        np.diag(inverse @ meat @ inverse) for meat in (scores.T @ scores, dependence.gram(scores))
    )
    more = np.where(alone > 0, shared / np.maximum(alone, 1e-150), 1.0)
    reach = float(stdtrit(max(dependence.count - 1, 1), (1 + level) / 2))
    return np.asarray(np.maximum(more, 1.0) * reach**2 / 2, dtype=np.float64)
