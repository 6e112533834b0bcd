"""Which side a number lies on, where rounding does not decide it.

Two ways of computing one number, such as 1 - p and the other order's p, differ by rounding, and a
comparison with == or > 0 then counts noise as wins. Next to the middle a number is on no side.
"""

from __future__ import annotations

import numpy as np

from surefoot.arrays import ArrayLike, Floats, Ints

#: Of probabilities: how close to 1/2 is a tie. Of rewards and margins: as a share of their size.
TIE = 1e-6


def side(values: ArrayLike, tolerance: ArrayLike = 0.0) -> Floats:
    """1 above 0, -1 below, 0 where no further than the tolerance, in the shape of the values.

    >>> side([-1.0, 1e-9, 0.5], 1e-6).tolist()
    [-1.0, 0.0, 1.0]
    """
    v = np.asarray(values, dtype=np.float64)
    return np.where(np.abs(v) <= tolerance, 0.0, np.sign(v))


def side_of_half(probabilities: ArrayLike, tolerance: float = 0.0) -> Floats:
    """The side of 1/2 on which labels or probabilities lie; 0 is a tie.

    >>> side_of_half([1.0, 0.1 + 0.2 + 0.2, 0.0]).tolist()
    [1.0, 0.0, -1.0]
    """
    return side(np.asarray(probabilities, dtype=np.float64) - 0.5, max(tolerance, TIE))


def side_of_margins(margins: ArrayLike) -> Floats:
    """Signs of margins; 0 where one is a millionth of their root mean square, or less."""
    m = np.asarray(margins, dtype=np.float64)
    largest = float(np.abs(m).max(initial=0.0)) or 1.0
    return side(m / largest, TIE * np.sqrt(np.mean((m / largest) ** 2)) if m.size else 0.0)


def side_of_rewards(rewards: ArrayLike, tolerance: float = 0.0) -> Floats:
    """1 where the first of a pair of rewards is higher, -1 where the second is, 0 for a tie, (N,).

    They tie where they differ by no more than the tolerance, or by a millionth of the larger one.

    >>> side_of_rewards([[1000.0, 1000.0 + 1e-9], [0.2, 0.1]]).tolist()
    [0.0, 1.0]
    """
    r = np.asarray(rewards, dtype=np.float64)
    return side(r[:, 0] - r[:, 1], np.maximum(tolerance, TIE * np.abs(r).max(axis=1)))


def credit(sides: ArrayLike, labels: ArrayLike) -> Floats:
    """1 where a side is that of the label, 0 where it is the other, 1/2 where either ties."""
    return np.asarray((np.asarray(sides) * side_of_half(labels) + 1) / 2)


def groups_of_equals(values: ArrayLike) -> Ints:
    """Numbers values from 0 in ascending order, neighbours within rounding alike, shape (N,).

    >>> groups_of_equals([0.3, 0.1 + 0.2, 0.1]).tolist()
    [1, 1, 0]
    """
    v = np.asarray(values, dtype=np.float64)
    order = np.argsort(v, kind="stable")
    steps = np.diff(v[order]) > TIE * np.abs(v).max(initial=0.0)
    numbers = np.empty(len(v), dtype=np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(steps)])[: len(v)]
    return numbers
