"""Scores of probabilities, one value per item: averaged by :func:`~surefoot.statistics.mean`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surefoot.statistics.dependence import Floats

#: Lowest probability of an outcome that log-loss counts with: the machine epsilon.
FLOOR = float(np.finfo(np.float64).eps)


def log_loss(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Cross-entropy of each item in nats, shape (N,), of P(a preferred) and its label, soft or not.

    A certainty that was wrong costs 36.04 nats, not infinity: probabilities are kept
    :data:`FLOOR` away from 0 and 1, so every loss lies in [0, -log FLOOR].

    Raises:
        ValueError: shapes that do not agree, or values outside [0, 1].
    """
    p, y = probabilities_and_labels(probabilities, labels)
    p = np.clip(p, FLOOR, 1 - FLOOR)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def brier(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> Floats:
    """Expected squared error of each item against one judgment drawn from its label, shape (N,).

    For a soft label y and P(a preferred) p this is y (1 - p)^2 + (1 - y) p^2: least at p = y, and
    equal to the average over single votes.

    Raises:
        ValueError: shapes that do not agree, or values outside [0, 1].
    """
    p, y = probabilities_and_labels(probabilities, labels)
    return np.asarray(y * (1 - p) ** 2 + (1 - y) * p**2)


def probabilities_and_labels(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Both as float vectors of one length within [0, 1].

    Raises:
        ValueError: they are not.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape:
        raise ValueError(f"probabilities and labels have shape (N,); got {p.shape} and {y.shape}.")
    for what, values in (("probabilities", p), ("labels", y)):
        wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))  # NaN is wrong too
        if len(wrong):
            raise ValueError(f"{what} lie in [0, 1]; got {values[wrong[0]]} at {wrong[0]}.")
    return p, y
