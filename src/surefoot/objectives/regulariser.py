"""Regularisers: what is added to an objective and is no function of its losses."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from surefoot.options import Member

#: What a scorer gives: one reward per response, a sum over the response's tokens, or (half) the
#: margin of a pair, whose responses have no score of their own.
ScoreKind = Literal["rewards", "token sums", "margins"]


@dataclass(frozen=True)
class Outputs:
    """What a scorer makes of N pairs.

    Attributes:
        scores: (N, 2) score of response a and of response b.
        log_probs: (N, 2) log-probability of each response, a sum over its tokens; None for rewards.
        lengths: (N, 2) number of tokens of each response.
    """

    scores: Tensor
    log_probs: Tensor | None
    lengths: Tensor

    def first(self, count: int) -> Outputs:
        """The first pairs."""
        log_probs = None if self.log_probs is None else self.log_probs[:count]
        return Outputs(self.scores[:count], log_probs, self.lengths[:count])


class Regulariser(Member, slot="regulariser"):
    """A penalty per pair, added to the objective with a weight."""

    weight: float = Field(gt=0)
    """Weight beside the mean loss."""

    needs: ClassVar[ScoreKind]

    @abstractmethod
    def __call__(self, outputs: Outputs, label: Tensor) -> Tensor:
        """Penalty of each pair (N,), without its weight, from outputs and labels (N,)."""
