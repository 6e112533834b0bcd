"""Rows that models can read: what a chat template refuses is skipped, counted and named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np

from surefoot.data.rendering.notes import MOST_REFUSED, REFUSED
from surefoot.data.schema import Fault, Preferences
from surefoot.errors import DataError


class PairReader(Protocol):
    """A trained scorer, or a model that is yet to write."""

    def refusals(self, preferences: Preferences) -> dict[int, Fault]:
        """Rows that it cannot read, by their positions, and why."""
        ...


def readable(
    models: Iterable[PairReader], preferences: Preferences, say: Callable[[str], None]
) -> Preferences:
    """The rows that every model can read; the others are added to the faults, as unusable ones.

    `say` is called with a line on these.

    Raises:
        DataError: more than half of the rows are refused.
    """
    refused = {k: v for one in models for k, v in one.refusals(preferences).items()}
    if not refused:
        return preferences
    first = refused[min(refused)]
    message = (
        f"{preferences.name}: {len(refused)} of {len(preferences)} pairs {REFUSED.predicate}, the "
        f"first in {first.file}, row {first.row}: {first.reason}."
    )
    if len(refused) > MOST_REFUSED * len(preferences):
        raise DataError(f"{message} {REFUSED.remedy}")
    say(f"warning: {message}")
    kept = [row for row in range(len(preferences)) if row not in refused]
    faults = (*preferences.faults, *(refused[row] for row in sorted(refused)))
    return replace(preferences.select(np.array(kept)), faults=faults)
