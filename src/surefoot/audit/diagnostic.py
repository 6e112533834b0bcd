"""A diagnostic: one question about preferences, how it is measured, and when the answer is yes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from surefoot.audit.picture import Picture
from surefoot.statistics.estimate import Estimate
from surefoot.statistics.minimum_effect import MinimumEffect

if TYPE_CHECKING:
    from surefoot.audit.material import Material

Threat = Literal[
    "noise",
    "annotators",
    "misspecification",
    "generalisation",
    "sparse feedback",
    "shortcut",
    "conflict",
    "time",
]


@dataclass(frozen=True)
class RowScores:
    """The rows that a diagnosis is about, the gravest first.

    Attributes:
        positions: (M,) of the rows in their data.
        scores: (M,) in [0, 1], how much each is suspected.
    """

    positions: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What a diagnostic computed.

    Attributes:
        of: what was measured, where a diagnostic measures several things; else empty.
        size: the figure with its interval, in the unit of the diagnostic.
        test: whether it lies beyond the size that matters; None where that rests on an assumption.
        seen: a sentence that says what was seen.
        rows: the rows concerned, if any are.
        in_deployment: the prompts of deployment concerned, if any are.
        remedy: configuration that answers it, by section.
        advice: what to do beside, or in place of that.
        assumption: what the figure rests on, where it cannot be tested.
        widest: such a figure says nothing where its interval is wider; None: no bound.
        picture: drawn for the question, with what does not matter; without one, the size is drawn
            beside those of the diagnostic's other measurements.
        details: further figures, JSON-ready.
    """

    size: Estimate
    test: MinimumEffect | None
    seen: str
    of: str = ""
    rows: RowScores | None = None
    in_deployment: RowScores | None = None
    remedy: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""
    assumption: str = ""
    widest: float | None = None
    picture: Picture | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

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


Measure = Callable[["Material"], Iterator[Measurement | Lacking]]


@dataclass(frozen=True)
class Diagnostic:
    """One question about preferences. A file here that defines `DIAGNOSTIC` joins the audit.

    Attributes:
        name: as in results and on the command line.
        threat: what is asked after.
        question: that it answers.
        unit: of the figure.
        matters: the figure up to which nothing is found.
        reference: the figure of which it is said whether it would have been found.
        null: what is true where nothing is to be found, in words.
        measure: computes it from the material.
        embeds: whether it reads embeddings, which take minutes.
        weight: its share of the audit's error rate, against 1 of others.
        source: the paper or book.
    """

    name: str
    threat: Threat
    question: str
    unit: str
    matters: float
    reference: float
    null: str
    measure: Measure
    embeds: bool = False
    weight: float = 1.0
    source: str = ""
