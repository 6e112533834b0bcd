"""Logistic loss: the negative log-likelihood of Bradley and Terry (1952); DPO (2305.18290)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from surefoot.objectives.margin_loss import (
    NEVER_THAT_STEEP,
    LossProperties,
    MarginLoss,
    entropy,
    softplus,
)

if TYPE_CHECKING:
    from torch import Tensor


class Logistic(MarginLoss, kind="logistic"):
    """psi(m) = -log sigma(m) = log(1 + e^-m): P(a preferred) is the logistic of the margin."""

    properties = LossProperties(
        convex=True,
        smooth=True,
        bounded=False,
        lipschitz=1.0,
        odd_part_linear=True,  # psi(m) - psi(-m) = -m
        signed_growth="linear",
        calibrated=True,
        likelihood=True,
    )

    def __call__(self, margins: Tensor) -> Tensor:
        """Losses, in the shape of the margins."""
        return softplus(-margins)

    def irreducible(self, probability: Tensor) -> Tensor:
        """The entropy of P, where sigma(m) = P."""
        return entropy(probability)

    def slack_point(self, penalty: float) -> float:
        """log(1/penalty - 1): the slope is -sigma(-m)."""
        return math.log(1 / penalty - 1) if penalty < 1 else NEVER_THAT_STEEP
