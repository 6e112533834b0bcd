"""The slot of auxiliary preference models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.data.references import References
from surefoot.data.schema import Preferences
from surefoot.options import Member

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Conditions:
    """What a run of an auxiliary model may ask for.

    Attributes:
        seed: of everything random.
        proceed: asked before anything is sent away, with an estimate of what it costs; unless
            given, it refuses.
        say: told one line per stage.
        folder: of the results, for what is trained on the way; None: nothing can be kept.
        resume: go on with what the folder holds.
    """

    seed: int = 0
    proceed: Callable[[Any], bool] = lambda estimate: False
    say: Callable[[str], None] = lambda line: None
    folder: Path | None = None
    resume: bool = False


@dataclass(frozen=True)
class Judged:
    """What an auxiliary model says.

    Attributes:
        pairs: (N,) P(a preferred) of the data's pairs; NaN where there is no answer.
        references: from a row to the (P,) probabilities of all reference pairs that count for it.
        figures: JSON-ready, about the model itself.
        notes: sentences for the user.
    """

    pairs: Array
    references: Callable[[int], Array] | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class AuxiliaryModel(Member, slot="auxiliary model"):
    """An estimate of P(a preferred | prompt, a, b), beside the model that is trained."""

    @abstractmethod
    def judge(
        self, pairs: Preferences, references: References | None, conditions: Conditions
    ) -> Judged:
        """Judge N comparisons, and the P pairs of their references where there are any."""
