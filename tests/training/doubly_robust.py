"""An auxiliary model that knows nothing but lengths, and a trainer that learns from it."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from surefoot.data.text import to_text
from surefoot.training.drpo.config import DoublyRobust
from surefoot.training.drpo.trainer import DoublyRobustTrainer

OPTIONS = {"auxiliary": "in memory", "samples": 4, "max_new_tokens": 12, "batch": 8}


class Shorter:
    """P(first preferred) grows with what the second has more, in characters."""

    def __init__(self, strength: float = 0.1) -> None:
        self.strength = strength

    def probabilities(self, preferences):
        lengths = [[len(to_text(side)) for side in row] for row in preferences.read(*_SIDES)]
        first, second = np.array(lengths, dtype=float).T
        return expit(self.strength * (second - first))


_SIDES = ("response_a", "response_b")


def doubly_robust_trainer(*, objective=None, auxiliary=None, **given):
    """A trainer; options of the objective by name."""
    made = DoublyRobust(**OPTIONS | (objective or {}))
    return DoublyRobustTrainer(objective=made, auxiliary=auxiliary or Shorter(), **given)
