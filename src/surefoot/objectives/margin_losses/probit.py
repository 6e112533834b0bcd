"""Probit loss: the negative log-likelihood of Thurstone's model, case V (1927)."""

from __future__ import annotations

import math

import torch
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor

from surefoot.objectives.margin_loss import LossProperties, MarginLoss, entropy


class Probit(MarginLoss, kind="probit"):
    """psi(m) = -log Phi(m): P(a preferred) is the normal distribution function of the margin.

    Grows like m^2 / 2 for wrongly ordered pairs: the least forgiving of the margin losses.
    """

    properties = LossProperties(
        convex=True,
        smooth=True,
        bounded=False,
        lipschitz=float("inf"),
        odd_part_linear=False,
        signed_growth="quadratic",
        calibrated=True,
    )

    def __call__(self, margins: Tensor) -> Tensor:
        """Losses, in the shape of the margins."""
        wide = margins.to(torch.promote_types(margins.dtype, torch.float32))  # no half kernel
        return -torch.special.log_ndtr(wide).to(margins.dtype)

    def irreducible(self, probability: Tensor) -> Tensor:
        """The entropy of P, where Phi(m) = P."""
        return entropy(probability)

    def slack_point(self, penalty: float) -> float:
        """Where the inverse Mills ratio phi(m) / Phi(m) equals the penalty."""

        def excess(m: float) -> float:
            return float(norm.logpdf(m) - norm.logcdf(m)) - math.log(penalty)

        return float(brentq(excess, -2 * penalty - 10, 40.0))
