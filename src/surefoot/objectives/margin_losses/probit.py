"""Probit loss: the negative log-likelihood of Thurstone's model, case V (1927)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from surefoot.objectives.margin_loss import LossProperties, MarginLoss, entropy

if TYPE_CHECKING:
    from torch import Tensor

#: Distance to the left of 0 from which the continued fraction is taken: there 16 levels are exact
#: in float64, and the derivatives of `log_ndtr` begin to cancel (float32: gone at -400).
_TAIL, _LEVELS = 5.0, 16


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
        likelihood=True,
    )

    def __call__(self, margins: Tensor) -> Tensor:
        """Losses, in the shape of the margins."""
        import torch

        wide = margins.to(torch.promote_types(margins.dtype, torch.float32))  # no half kernel
        # Each side of the border sees the other's margins at the border: nothing there is NaN.
        near = -torch.special.log_ndtr(wide.clamp_min(-_TAIL))
        far = _left_tail((-wide).clamp_min(_TAIL))
        return torch.where(wide > -_TAIL, near, far).to(margins.dtype)

    def irreducible(self, probability: Tensor) -> Tensor:
        """The entropy of P, where Phi(m) = P."""
        return entropy(probability)

    def slack_point(self, penalty: float) -> float:
        """Where the inverse Mills ratio phi(m) / Phi(m) equals the penalty."""
        from scipy.optimize import brentq
        from scipy.stats import norm

        def excess(m: float) -> float:
            return float(norm.logpdf(m) - norm.logcdf(m)) - math.log(penalty)

        return float(brentq(excess, -2 * penalty - 10, 40.0))


def _left_tail(distance: Tensor) -> Tensor:
    """-log Phi(-x) for x >= 5: x^2 / 2 + log sqrt(2 pi) + log(x + 1/(x + 2/(x + 3/...))).

    The continued fraction is Laplace's of the inverse Mills ratio. All its parts are positive, so
    that derivatives of every order keep the precision of the type.
    """
    ratio = distance
    for level in range(_LEVELS, 0, -1):
        ratio = distance + level / ratio
    return distance.square() / 2 + math.log(2 * math.pi) / 2 + ratio.log()
