"""Margin losses: the loss of a margin when the first response is the preferred one."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from surefoot.errors import ConfigurationError
from surefoot.options import Member

if TYPE_CHECKING:
    from torch import Tensor

#: How fast a loss can fall: not at all, linearly, like the square of the margin.
Growth = Literal["none", "linear", "quadratic"]


@dataclass(frozen=True, kw_only=True)
class LossProperties:
    """What the validator and the solver need to know of a margin loss psi."""

    convex: bool
    smooth: bool
    """Differentiable everywhere."""
    bounded: bool
    lipschitz: float
    """Largest slope in absolute value; infinite where there is none."""
    odd_part_linear: bool
    """Whether psi(m) - psi(-m) is linear in m, so that signed labels keep it convex."""
    signed_growth: Growth
    """How fast a*psi(m) - b*psi(-m), a > b > 0, can fall; "none": it is bounded below."""
    calibrated: bool
    """Whether the best margin is a strictly increasing function of P(a preferred)."""
    kinks: tuple[float, ...] = ()
    likelihood: bool = False
    """Whether exp(-psi(m)) + exp(-psi(-m)) is 1: exp(-psi) is the chance of a preference."""


class MarginLoss(Member, slot="margin loss"):
    """psi: margins of any shape to losses of the same shape, elementwise, without reduction."""

    properties: ClassVar[LossProperties]
    strength_option: ClassVar[str] = ""
    """Option that sets how much it regularises, as DPO's beta before the margin does; or none."""

    @abstractmethod
    def __call__(self, margins: Tensor) -> Tensor:
        """Losses, in the shape of the margins."""

    @property
    def per_token(self) -> bool:
        """Whether it takes each response's score by the token, so that scores have to be sums."""
        return False

    def slack_point(self, penalty: float) -> float:
        """The margin at which the slope of psi is -penalty (R3M, Objective.labels `slack`).

        -inf where psi is never that steep. Defined for convex losses only.
        """
        raise ConfigurationError(f"{self.label()} is not convex: it has no slack point.")

    def irreducible(self, probability: Tensor) -> Tensor:
        """Min over m of P psi(m) + (1 - P) psi(-m): the least expected loss, shaped as P.

        Raises:
            ConfigurationError: a loss that does not say.
        """
        raise ConfigurationError(f"{self.label()} does not say what its least expected loss is.")

    def margins(self, scores: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Margins of pairs from the scores of their two responses.

        Args:
            scores: (N, 2, ...) score of response a and of response b.
            lengths: (N, 2) number of tokens of each response; only for losses that normalise.

        Returns:
            (N, ...) score of a minus score of b.
        """
        del lengths  # only length-normalised losses use it
        return scores[:, 0] - scores[:, 1]


def entropy(probability: Tensor) -> Tensor:
    """-P log P - (1 - P) log(1 - P) in nats, 0 at 0 and 1."""
    import torch

    return torch.special.entr(probability) + torch.special.entr(1 - probability)


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x) without the linear cut-off of torch's softplus, exact in float64.

    Twice differentiable everywhere: the second derivative of `logaddexp` is NaN at large values.
    """
    import torch

    return -torch.nn.functional.logsigmoid(-x)


NEVER_THAT_STEEP = -math.inf
