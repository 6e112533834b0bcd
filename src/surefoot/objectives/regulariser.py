"""Regularisers: what is added to an objective and is no function of its losses."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from surefoot.options import Member

if TYPE_CHECKING:
    from torch import Tensor

#: What a scorer gives: one reward per response, a sum over the response's tokens, or (half) the
#: margin of a pair, whose responses have no score of their own.
ScoreKind = Literal["rewards", "token sums", "margins"]


@dataclass(frozen=True)
class Outputs:
    """What a scorer makes of N pairs."""

    scores: Tensor  #: (N, 2) score of response a and of response b
    #: (N, 2) log-probability of each response, a sum over its tokens; None for rewards
    log_probs: Tensor | None
    lengths: Tensor  #: (N, 2) number of tokens of each response
    #: (N,) squared length of the margin's gradient in what the scorer reads, over both responses;
    #: None where no regulariser asks
    steepness: Tensor | None = None

    def first(self, count: int) -> Outputs:
        """The first pairs."""
        every = ((one.name, getattr(self, one.name)) for one in fields(self))
        return replace(self, **{name: v[:count] for name, v in every if v is not None})


class Regulariser(Member, slot="regulariser"):
    """What is added to an objective: a penalty per pair, or a function of all pairs of a step."""

    needs: ClassVar[ScoreKind]
    """Outputs that a scorer has to give."""
    of_linear_heads: ClassVar[bool] = False
    """Whether linear heads on frozen embeddings take the regulariser too."""


class PairPenalty(Regulariser):
    """A penalty per pair: its mean is added to the objective with a weight."""

    weight: float = Field(gt=0)
    """Weight beside the mean loss."""

    @abstractmethod
    def __call__(self, outputs: Outputs, label: Tensor) -> Tensor:
        """Penalty of each pair (N,), without its weight, from outputs and labels (N,)."""
