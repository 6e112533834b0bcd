"""A diagnostic: a question, how it is measured, and when the answer is yes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from surefoot.auditing.picture import Picture
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect

Threat = Literal[
    "noise",
    "annotators",
    "misspecification",
    "generalisation",
    "sparse feedback",
    "shortcut",
    "conflict",
    "time",
    "judge",
    "reward model",
]


@dataclass(frozen=True)
class RowScores:
    """The rows that a diagnosis is about, the gravest first."""

    positions: npt.NDArray[np.int64]  #: (M,) of the rows in their data
    scores: npt.NDArray[np.float64]  #: (M,) in [0, 1], how much each is suspected


@dataclass(frozen=True)
class Each:
    """Values whose mean a size is, so that those of two models can be compared one by one."""

    rows: npt.NDArray[np.int64]  #: (M,) of the comparison that each belongs to
    keys: npt.NDArray[np.int64]  #: (M,) which value it is, the same in any model
    values: npt.NDArray[np.float64]  #: (M,)


@dataclass(frozen=True)
class Measurement:
    """What a diagnostic computed."""

    size: Estimate  #: the figure with its interval, in the unit of the diagnostic
    #: whether it lies beyond the size that matters; None where that rests on an assumption
    test: MinimumEffect | None
    seen: str  #: a sentence that says what was seen
    each: Each | None = None  #: what the size is the mean of, where it is one
    of: str = ""  #: what was measured, where a diagnostic measures several things; else empty
    rows: RowScores | None = None  #: the rows concerned, if any are
    in_deployment: RowScores | None = None  #: the prompts of deployment concerned, if any are
    #: configuration that answers it, by section
    remedy: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""  #: what to do beside, or in place of that
    assumption: str = ""  #: what the figure rests on, where it cannot be tested
    #: such a figure says nothing where its interval is wider; None: no bound
    widest: float | None = None
    #: drawn for the question, with what does not matter; without one, the size is drawn beside
    #: those of the diagnostic's other measurements
    picture: Picture | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  #: further figures, JSON-ready
    #: what there would have to be more of to tell, of which `size.n` are there
    grows: str = "rows"
    #: its share of the audit's error rate, against 1 of the diagnostic's other measurements
    weight: float = 1.0

    @property
    def too_wide(self) -> float:
        """How many times as wide as it may be an interval is, where it says nothing; else 0."""
        low, high = self.size.low, self.size.high
        if self.test is not None or self.widest is None or low is None or high is None:
            return 0.0
        times = (high - low) / self.widest
        return times if times > 1 else 0.0


@dataclass(frozen=True)
class Lacking:
    """Why a diagnostic could not be made, and what it would need."""

    reason: str


#: From a `Material` of preferences, or from a `JudgeMaterial` for the threat `judge`.
Measure = Callable[[Any], Iterator[Measurement | Lacking]]


@dataclass(frozen=True)
class Diagnostic:
    """One question about preferences, a judge of them, or a reward model."""

    name: str  #: as in results and on the command line
    threat: Threat  #: what is asked after
    question: str  #: that it answers
    unit: str  #: of the figure
    matters: float  #: the figure up to which nothing is found
    reference: float  #: the figure of which it is said whether it would have been found
    null: str  #: what is true where nothing is to be found, in words
    measure: Measure  #: computes it from the material
    embeds: bool = False  #: whether it reads embeddings, which take minutes
    weight: float = 1.0  #: its share of the audit's error rate, against 1 of others
    source: str = ""  #: the paper or book
