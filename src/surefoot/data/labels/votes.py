"""Repeated votes on a pair, counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from surefoot.data.schema import Preferences


def vote_counts(preferences: Preferences) -> npt.NDArray[np.float64]:
    """Votes for the first response and for either, shape (N, 2); ties are left out."""
    counts = np.zeros((len(preferences), 2))
    for row, (votes,) in enumerate(preferences.read("votes") if preferences.has("votes") else ()):
        decided = [vote["value"] for vote in votes or () if vote["value"] in (0, 1)]
        counts[row] = sum(decided), len(decided)
    return counts
