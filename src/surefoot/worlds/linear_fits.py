"""Linear rewards fitted to many small data sets at once, to machine precision.

The heads of :mod:`surefoot.scorers` share their rows; here each problem has rows of its own, as
repetitions of a simulation have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surefoot.errors import ConfigurationError
from surefoot.objectives import Evidence, Objective
from surefoot.scorers import lbfgs

STEPS = 100
HALVINGS = 30


@dataclass(frozen=True)
class LinearProblems:
    """R problems, each with N comparisons and P reference pairs of its own.

    Attributes:
        objective: smooth, of a convex loss.
        differences: (N + P, R, D) features of the first response less those of the second.
        evidence: (N, R) of the comparisons.
        l2: ridge penalty (l2 / 2) |weights|^2.
        mass: (N, R) weight of each comparison; None: equal.

    Raises:
        ConfigurationError: the objective has kinks, or its loss is not convex.
    """

    objective: Objective
    differences: Tensor
    evidence: Evidence
    l2: float = 0.0
    mass: Tensor | None = None

    def __post_init__(self) -> None:
        if not (self.objective.smooth and self.objective.loss.properties.convex):
            raise ConfigurationError(
                "what is exact here takes a smooth objective of a convex loss, not "
                f"{self.objective.describe()}."
            )

    def solve(self, tolerance: float = 1e-10) -> Tensor:
        """Weights (R, D) at the minimum; of an objective that is not convex, the local one from 0.

        Args:
            tolerance: length of the gradient at which a problem is solved.

        Raises:
            RuntimeError: no minimum was found; without a ridge penalty there may be none.
        """
        weights = self._newton(tolerance) if self.objective.convex else self._lbfgs(tolerance)
        left = float(self.values(weights)[1].norm(dim=1).max())
        if not left <= 100 * tolerance:
            raise RuntimeError(f"no minimum was found: a gradient of length {left:.1e} is left.")
        return weights

    def values(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Objectives (R,) and gradients (R, D) at weights (R, D)."""
        value, first, _ = self._by_margins(weights)
        gradients = torch.einsum("nrd,nr->rd", self.differences, first) + self.l2 * weights
        return value + self.l2 / 2 * weights.square().sum(1), gradients

    def hessians(self, weights: Tensor) -> Tensor:
        """Hessians (R, D, D), with a risk's weights of the pairs held fixed.

        A loss is a sum of functions of one margin each, so by margins the Hessian is diagonal.
        """
        x, second = self.differences, self._by_margins(weights)[2]
        ridge = self.l2 * torch.eye(x.shape[-1], dtype=x.dtype)
        return torch.einsum("nrd,nr,nre->rde", x, second, x) + ridge

    def _by_margins(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (R,) without the ridge, first and second derivatives (N + P, R) by margins."""
        rows = len(self.evidence.label)
        m = (self.differences * weights).sum(-1).requires_grad_()
        with torch.enable_grad():
            value = self.objective(
                m[:rows], self.evidence, mass=self.mass, reference_margins=m[rows:]
            ).value
            (first,) = torch.autograd.grad(value.sum(), m, create_graph=True)
            (second,) = torch.autograd.grad(first.sum(), m)
        return value.detach(), first.detach(), second

    def _newton(self, tolerance: float) -> Tensor:
        """Newton's method from zero, steps halved until they descend."""
        weights = self.differences.new_zeros(self.differences.shape[1:])
        values, gradients = self.values(weights)
        for _ in range(STEPS):
            if not bool((gradients.norm(dim=1) > tolerance).any()):
                break
            steps = torch.linalg.solve(self.hessians(weights), gradients)
            slopes = (steps * gradients).sum(1)
            size = torch.ones_like(values)
            for _ in range(HALVINGS):
                trial = weights - size[:, None] * steps
                reached, slope = self.values(trial)
                # Near the end values are equal to rounding: there a full step is right.
                short = reached > values - 1e-4 * size * slopes + 1e-13 * (1 + values.abs())
                if not bool(short.any()):
                    break
                size = torch.where(short, size / 2, size)
            weights, values, gradients = trial, reached, slope
        return weights

    def _lbfgs(self, tolerance: float) -> Tensor:
        """L-BFGS from zero, with the Hessian there for a first guess."""
        start = self.differences.new_zeros(self.differences.shape[1:])
        factors = torch.linalg.cholesky(self.hessians(start))

        def oracle(weights: Tensor, problems: Tensor) -> tuple[Tensor, Tensor]:
            values, gradients = self.part(problems).values(weights.T)
            return values, gradients.T

        def precondition(gradients: Tensor, problems: Tensor) -> Tensor:
            return torch.cholesky_solve(gradients.T[..., None], factors[problems]).squeeze(-1).T

        halves = torch.full((len(start),), 0.5, dtype=start.dtype)  # the gap is then |g|^2
        return lbfgs.minimise(oracle, start.T, halves, precondition, tolerance**2).parameters.T

    def part(self, problems: Tensor) -> LinearProblems:
        """The problems with these indices (k,)."""
        if len(problems) == self.differences.shape[1]:
            return self
        mass = None if self.mass is None else self.mass[:, problems]
        known = self.evidence
        assert known.auxiliary is None, "objectives with references are convex here"
        evidence = Evidence(known.label[:, problems])
        return replace(
            self, differences=self.differences[:, problems], evidence=evidence, mass=mass
        )
