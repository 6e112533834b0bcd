"""Rows that models can read: what a chat template refuses is skipped, counted and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from surefoot.data.reading_notes import MOST_REFUSED, REFUSED
from surefoot.data.schema import Fault, Preferences
from surefoot.errors import DataError


def refused_by(models: Iterable[Any], preferences: Preferences) -> dict[int, Fault]:
    """Rows that a model's chat template cannot write, by their positions, and why."""
    found: dict[int, Fault] = {}
    for model in models:
        if hasattr(model, "refusals"):
            found |= model.refusals(preferences)
    return found


def readable(
    models: Iterable[Any], preferences: Preferences, say: Callable[[str], None]
) -> Preferences:
    """The rows that every model can read; the others are added to the faults, as unusable ones.

    Args:
        models: trained scorers; those with chat templates may refuse rows.
        preferences: N comparisons.
        say: told of the others.

    Raises:
        DataError: more than half of the rows are refused.
    """
    refused = refused_by(models, preferences)
    if not refused:
        return preferences
    first = refused[min(refused)]
    told = (
        f"{preferences.name}: {len(refused)} of {len(preferences)} pairs {REFUSED.predicate}, the "
        f"first in {first.file}, row {first.row}: {first.reason}."
    )
    if len(refused) > MOST_REFUSED * len(preferences):
        raise DataError(f"{told} {REFUSED.remedy}")
    say(f"warning: {told}")
    kept = [row for row in range(len(preferences)) if row not in refused]
    faults = (*preferences.faults, *(refused[row] for row in sorted(refused)))
    return replace(preferences.select(np.array(kept)), faults=faults)
