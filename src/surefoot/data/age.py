"""Weights of rows by age: what is older counts less."""

from __future__ import annotations

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.schema import Preferences
from surefoot.errors import DataError

DAY = 86_400.0


def counted_by_age(time: Floats, half_life: float, now: float | None = None) -> Floats:
    """Weights (N,) that halve with every half-life of age; 1 at the age 0, as for what is newer.

    >>> counted_by_age(np.array([0.0, 10.0, 20.0]), half_life=10.0).tolist()
    [0.25, 0.5, 1.0]

    Args:
        time: (N,) of the rows.
        half_life: in the unit of the times, above 0.
        now: when the age is 0; None: the latest time.
    """
    newest = time.max(initial=-np.inf) if now is None else now
    return np.exp2(-np.maximum(newest - time, 0.0) / half_life)


def aged(preferences: Preferences, half_life: float) -> Preferences:
    """A copy in which rows lose half of their weight with every `half_life` days of age.

    Raises:
        DataError: a row has no time.
    """
    time = preferences.numbers("time")
    missing = int(np.isnan(time).sum())
    if missing:
        raise DataError(
            f"data.half_life weights rows by their age, and {missing} of {len(time)} rows of "
            f"{preferences.name} have no time. Name the column (data.columns: {{time: ...}}), or "
            "leave half_life out."
        )
    weights = preferences.weights * counted_by_age(time, half_life * DAY)
    return preferences.with_columns(weight=weights.tolist())
