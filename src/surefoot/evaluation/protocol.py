"""What evaluation asks of a model."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from surefoot.data.schema import Preferences

Floats = npt.NDArray[np.float64]


@runtime_checkable
class Scorer(Protocol):
    """A reward model, a policy, an ensemble, a ruler: anything that scores both responses."""

    def rewards(self, preferences: Preferences) -> Floats:
        """Reward of response a and of response b, shape (N, 2)."""
        ...

    def probabilities(self, preferences: Preferences) -> Floats:
        """P(a preferred) of each pair, shape (N,)."""
        ...
