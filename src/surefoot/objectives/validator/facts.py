"""What the validator knows of data and scorer, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from surefoot.objectives.members import Members
from surefoot.objectives.regulariser import ScoreKind


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of data and scorer; None where it is not known yet."""

    soft_labels: bool | None = None  #: whether any label is strictly between 0 and 1
    columns: frozenset[str] | None = None  #: the optional columns that the data give
    #: number of pairs in the smallest unit, as the risk sees it: an expectation where units are
    #: spread over steps
    smallest_unit: float | None = None
    #: share of the smallest unit in what the risk sees, or less
    smallest_share: float | None = None
    step: int | None = None  #: number of pairs in such a step; None: the risk sees units whole
    #: whether a response's score is one reward or a sum over its tokens, or whether there are only
    #: margins of pairs
    scores: ScoreKind | None = None
    l2: float | None = None  #: weight of the ridge penalty on a linear head; None for other scorers
    linear: bool | None = None  #: whether the scorer is linear in its parameters
    frozen: bool | None = None  #: whether it is a head on frozen embeddings
    by_source: bool | None = None  #: whether each source has its own part of that head


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
