"""Which observations to make next: a greedy design for predictions at given targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints

#: Of the mean curvature: how faint the prior is, under which directions never seen are uncertain.
_PRIOR = 0.1


@dataclass(frozen=True)
class NextObservations:
    """Candidates in the order in which to observe them.

    Attributes:
        order: (K,) of candidates.
        gains: (K,) share of the targets' present variance that each takes away, after those before.
    """

    order: Ints
    gains: Floats


def next_observations(
    known: Floats, candidates: Floats, targets: Floats, count: int
) -> NextObservations:
    """Greedily the candidates after which predictions at the targets vary least.

    In a linear model with known rows x the variance of a prediction at t is t' A^-1 t, where A is
    the sum of x x' and a faint prior; one more row x takes (t' A^-1 x)^2 / (1 + x' A^-1 x) of it
    away (Cohn, Ghahramani and Jordan 1996, for the mean over targets).

    Args:
        known: (N, D) rows that are observed already, each times the root of its weight.
        candidates: (M, D) that may be.
        targets: (T, D) where predictions are wanted.
        count: how many to choose, at most M.
    """
    inverse = np.linalg.inv(_precision(known))
    values, axes = np.linalg.eigh(targets.T @ targets / len(targets))
    root = axes * np.sqrt(np.maximum(values, 0.0))  # root root' is the targets' second moment
    whole = float(np.square(root.T @ np.linalg.cholesky(inverse)).sum())
    solved, aimed = candidates @ inverse, candidates @ inverse @ root
    size = (solved * candidates).sum(1)  # x' A^-1 x
    left = np.ones(len(candidates), dtype=bool)
    order, gains = [], []
    for _ in range(min(count, len(candidates))):
        gain = np.where(left, np.square(aimed).sum(1) / (1 + size), -1.0)
        best = int(gain.argmax())
        order.append(best)
        gains.append(float(gain[best]) / max(whole, 1e-300))
        left[best] = False
        along = candidates @ solved[best] / (1 + size[best])
        size = size - along * (candidates @ solved[best])
        solved = solved - along[:, None] * solved[best]
        aimed = aimed - along[:, None] * aimed[best]
    return NextObservations(np.array(order, dtype=np.int64), np.array(gains))


def variances(known: Floats, chosen: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Variance of predictions at targets (T, D) before and after rows (K, D) are observed, (T,)."""
    precision = _precision(known)
    before, after = (
        (targets * np.linalg.solve(one, targets.T).T).sum(1)
        for one in (precision, precision + chosen.T @ chosen)
    )
    return before, after


def _precision(known: Floats) -> Floats:
    """A: the known rows' curvature and the prior."""
    curvature = known.T @ known
    prior = _PRIOR * max(float(np.trace(curvature)), 1e-12) / len(curvature)
    return np.asarray(curvature + prior * np.eye(len(curvature)))
