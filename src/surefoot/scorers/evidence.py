"""What the data say, in the terms of an objective: evidence, and facts for the validator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from surefoot.data.schema import FEATURES, Preferences
from surefoot.errors import DataError
from surefoot.objectives import Evidence, Facts, Units


def evidence_of(preferences: Preferences) -> Evidence:
    """What is known of each of N pairs, in float64.

    Raises:
        DataError: the column `auxiliary` is given in some rows only.
    """
    auxiliary = preferences.numbers("auxiliary") if preferences.has("auxiliary") else None
    if auxiliary is not None and np.isnan(auxiliary).any():
        raise DataError(
            f"{preferences.name}: the column 'auxiliary' is null in {np.isnan(auxiliary).sum()} of "
            f"{len(preferences)} rows; it has to be given in all or none."
        )
    return Evidence(
        torch.from_numpy(preferences.labels),
        None if auxiliary is None else torch.from_numpy(auxiliary),
    )


def facts_of(preferences: Preferences, units: Units | None, **of_the_scorer: Any) -> Facts:
    """What the validator is told of the data, and of the scorer beside."""
    labels = preferences.labels
    return Facts(
        soft_labels=bool(((labels > 0) & (labels < 1)).any()),
        columns=frozenset(name for name in FEATURES if preferences.has(name)),
        smallest_unit=1 if units is None else int(torch.bincount(units.ids).min()),
        **of_the_scorer,
    )
