"""What the validator knows of data and scorer, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from surefoot.objectives.members import Members
from surefoot.objectives.regulariser import ScoreKind


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of data and scorer; None where it is not known yet.

    Attributes:
        soft_labels: whether any label is strictly between 0 and 1.
        columns: the optional columns that the data give.
        smallest_unit: number of pairs in the smallest unit, as the risk sees it: an expectation
            where units are spread over steps.
        smallest_share: share of the smallest unit in what the risk sees, or less.
        step: number of pairs in such a step; None: the risk sees units whole.
        scores: whether a response's score is one reward or a sum over its tokens, or whether there
            are only margins of pairs.
        l2: weight of the ridge penalty on a linear head; None for other scorers.
        linear: whether the scorer is linear in its parameters.
        frozen: whether it is a head on frozen embeddings.
        by_source: whether each source has its own part of that head.
    """

    soft_labels: bool | None = None
    columns: frozenset[str] | None = None
    smallest_unit: float | None = None
    smallest_share: float | None = None
    step: int | None = None
    scores: ScoreKind | None = None
    l2: float | None = None
    linear: bool | None = None
    frozen: bool | None = None
    by_source: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """`warned` or `refused`, and why. No verdict at all means allowed."""

    outcome: Literal["warned", "refused"]
    reason: str


def refused(reason: str) -> Verdict:
    """Members, data or a scorer that do not go together."""
    return Verdict("refused", reason)


def warned(reason: str) -> Verdict:
    """What goes together and may disappoint."""
    return Verdict("warned", reason)


Rule = Callable[[Members, Facts], Verdict | None]
