"""Kullback-Leibler ball: Hu and Hong (2013), with the temperature found by Newton's method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from surefoot.objectives.balls import Ball, scaled, share_of
from surefoot.objectives.duals import DualStep, EstimatedRisk
from surefoot.objectives.risk import RiskProperties, log_mean_exp

if TYPE_CHECKING:
    from torch import Tensor

_ITERATIONS = 200
_LARGEST = 50.0  # exponent of a weight: e^50 is as good as infinite, and finite


class KLBall(Ball, EstimatedRisk, kind="kl"):
    """max over q of sum_u q_u L_u, KL(q || p) = sum_u q_u log(q_u / p_u) <= radius.

    Against *shift*: q_u is proportional to p_u exp(L_u / t), as under `kl-penalised`, but here the
    temperature t follows from the radius: the dual is inf over t of t log E exp(L / t) + t radius.
    For small radii R = mean + sqrt(2 radius) standard deviation. From log(1 / p_u) of the worst
    unit on, R is the maximum.
    """

    radius: Annotated[float, Field(ge=0)] | Literal["auto"] = 0.1
    """Size of the ball in nats; 0 is the mean. `auto`: by leaving groups out, on
    frozen embeddings."""

    properties = RiskProperties(
        direction="against shift", convex=True, smooth=False, neutral={"radius": 0.0}
    )

    def largest_radius(self, smallest: float) -> float:
        """log(1 / p) of the smallest unit."""
        return -math.log(smallest)

    def exact(self, losses: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
        """Value (...) and weights (U, ...)."""
        import torch

        x, largest = scaled(losses, mass)
        at_most = -(mass * largest).sum(0).log()  # KL of all weight on the largest
        inner = (self.size < at_most) & (self.size > 0)
        tilt = self._tilt(x, mass, largest, inner)
        _, tilted = log_mean_exp(tilt * x, mass)
        outer = mass if self.size == 0 else share_of(mass, largest)
        weights = torch.where(inner, tilted, outer)
        return (weights * losses).sum(0), weights

    def _tilt(self, x: Tensor, mass: Tensor, largest: Tensor, inner: Tensor) -> Tensor:
        """The s (...) at which q proportional to p exp(s x) is `radius` away, where it is inside.

        Newton's method on log KL against log s, which is nearly straight, between bounds: KL is at
        most s^2 / 8 (Hoeffding), and all weight is on the largest where exp(-s gap) vanishes.
        """
        import torch

        tiny = torch.finfo(x.dtype).tiny
        gap = -x.masked_fill(largest | (mass == 0), -1.0).amax(0).clamp_max(-tiny)
        low = x.new_full(gap.shape, max(8 * self.size, tiny)).sqrt().log()
        high = torch.maximum((800 / gap).log(), low + 1)
        spread = (mass * (x - (mass * x).sum(0)).square()).sum(0)
        at = (2 * self.size / spread.clamp_min(tiny)).sqrt().log()  # KL is about s^2 spread / 2
        at = at.clamp(low, high)
        accuracy = 8 * torch.finfo(x.dtype).eps
        for _ in range(_ITERATIONS):
            tilt = at.exp()
            log, weights = log_mean_exp(tilt * x, mass)
            u = (tilt * x - log).masked_fill(mass == 0, 0.0)
            distance = (mass * (u.exp() * u - u.expm1())).sum(0).clamp_min(tiny)
            mean = (weights * x).sum(0)
            spread = (weights * (x - mean).square()).sum(0)
            too_far = distance > self.size
            high, low = torch.where(too_far, at, high), torch.where(too_far, low, at)
            slope = tilt.square() * spread / distance  # d log KL / d log s
            newton = at - (distance / self.size).log() / slope.clamp_min(tiny)
            inside = (newton > low) & (newton < high)
            following = torch.where(inside, newton, (low + high) / 2)
            done = (following - at).abs() <= accuracy
            at = following
            if bool((done | ~inner).all()):
                break
        return at.exp()

    def first_eta(self, losses: Tensor, mass: Tensor) -> Tensor:
        """Log E exp(L), at which the weights sum to 1."""
        return log_mean_exp(losses, mass)[0]

    def dual(self, losses: Tensor, mass: Tensor, eta: Tensor, scale: Tensor) -> DualStep:
        """Lambda E exp((L - eta) / lambda) - lambda + eta + lambda radius."""
        x = ((losses - eta) / scale).clamp_max(_LARGEST)
        weights = mass * x.exp()
        total = weights.sum(0)
        value = scale * (total - 1 + self.size) + eta
        by_scale = (weights * (1 - x)).sum(0) - 1 + self.size
        return DualStep(value, weights, 1 - total, by_scale)
