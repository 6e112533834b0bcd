"""Chi-squared ball: Hashimoto et al. (2018), Duchi and Namkoong (2019); solved exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from surefoot.objectives.balls import Ball, scaled, share_of
from surefoot.objectives.duals import DualStep, EstimatedRisk
from surefoot.objectives.risk import RiskProperties

if TYPE_CHECKING:
    from torch import Tensor


class ChiSquared(Ball, EstimatedRisk, kind="chi-squared"):
    """max over q of sum_u q_u L_u, 1/2 sum_u p_u (q_u / p_u - 1)^2 <= radius.

    Against *shift*: q_u is proportional to p_u (L_u - eta)+ where eta makes the constraint tight.
    The dual is inf over eta of eta + sqrt(1 + 2 radius) sqrt(E (L - eta)+^2). While every unit
    keeps some weight, R = mean + sqrt(2 radius) standard deviation. From (1 / p_u - 1) / 2 of the
    worst unit on, R is the maximum.
    """

    radius: Annotated[float, Field(ge=0)] | Literal["auto"] = 0.1
    """Size of the ball, half of the mean of (q / p - 1)^2; 0 is the mean. `auto`: by
    leaving groups out, on frozen embeddings."""

    properties = RiskProperties(
        direction="against shift", convex=True, smooth=False, neutral={"radius": 0.0}
    )

    def largest_radius(self, smallest: float) -> float:
        """(1 / p - 1) / 2 of the smallest unit."""
        return (1 / smallest - 1) / 2

    def exact(self, losses: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        """Value (...) and weights (U, ...).

        Between two neighbouring losses the units above eta do not change, and the condition
        E (x - eta)+^2 = (1 + 2 radius) (E (x - eta)+)^2 is quadratic in eta. The left side falls
        relative to the right one as eta falls, so the segment is found by looking at the ends.
        """
        import torch

        x, _ = scaled(losses, mass)
        order = x.argsort(dim=0, descending=True, stable=True)
        ranked, p = x.gather(0, order), mass.gather(0, order)
        above = p.cumsum(0)  # mass of the units up to each, the largest loss first
        rest = torch.zeros_like(p)
        rest[:-1] = p.flip(0).cumsum(0).flip(0)[1:]  # and of those after it
        fall = torch.zeros_like(p)
        fall[1:] = ranked[:-1] - ranked[1:]
        # E (x - eta)+ and E (x - eta)+^2 at eta = each loss: sums of terms that are not negative.
        before = above - p
        first = (fall * before).cumsum(0)
        second = (2 * fall * (first - fall * before) + fall.square() * before).cumsum(0)
        ratio = 1 + 2 * self.size
        reached = (second >= ratio * first.square()).to(torch.int64).cumprod(0)
        last = reached.sum(0, keepdim=True) - 1  # of the units that have a say
        mean, square, inside, outside, at = (
            values.gather(0, last) for values in (first, second, above, rest, ranked)
        )
        # eta = at - step, where step solves the quadratic; kappa = ratio * inside - 1.
        kappa = 2 * self.size * inside - outside
        root = (kappa * (inside * square - mean.square())).clamp_min(0).sqrt()
        below = mean * kappa + root
        solvable = (kappa > 0) & (below > 0)
        step = (square - ratio * mean.square()).clamp_min(0) / torch.where(solvable, below, 1.0)
        tilted = mass * (x - at + step).clamp_min(0)
        total = tilted.sum(0, keepdim=True)
        flat = share_of(mass, x >= at)  # the mean, or the largest losses alone
        solvable &= total > 0
        weights = torch.where(solvable, tilted / torch.where(solvable, total, 1.0), flat)
        return (weights * losses).sum(0), weights

    def first_eta(self, losses: Tensor, mass: Tensor) -> Tensor:
        """The mean, which is right while no weight is 0."""
        return (mass * losses).sum(0)

    def dual(self, losses: Tensor, mass: Tensor, eta: Tensor, scale: Tensor) -> DualStep:
        """E (L - eta + lambda)+^2 / (2 lambda) - lambda / 2 + eta + lambda radius."""
        t = ((losses - eta) / scale + 1).clamp_min(0)  # q / p
        weights = mass * t
        halved = (weights * t).sum(0) / 2
        value = scale * (halved - 0.5 + self.size) + eta
        by_scale = weights.sum(0) - halved - 0.5 + self.size
        return DualStep(value, weights, 1 - weights.sum(0), by_scale)
