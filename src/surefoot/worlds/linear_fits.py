"""Linear rewards fitted to many small data sets at once, to machine precision.

The heads of :mod:`surefoot.scorers` share their rows; here each problem has rows of its own, as
repetitions of a simulation have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.arrays import Floats
from surefoot.errors import ConfigurationError
from surefoot.objectives import Evidence, Objective, Units
from surefoot.scorers.solvers import bundle, lbfgs

#: From weights (R, D) to values (R,), gradients (R, D) and Hessians (R, D, D).
Values = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]

Indices = npt.NDArray[np.intp]

STEPS = 100
HALVINGS = 30
RESTARTS = 5


@dataclass(frozen=True)
class LinearProblems:
    """R problems, each with N comparisons and P reference pairs of its own.

    Raises:
        ConfigurationError: the loss or the label model has kinks, or the loss is not convex.
    """

    objective: Objective  #: of a smooth convex loss and label model; the risk may have kinks
    differences: Tensor  #: (N + P, R, D) features of the first response less the second's
    evidence: Evidence  #: (N, R) of the comparisons
    l2: float = 0.0  #: ridge penalty (l2 / 2) |weights|^2
    mass: Tensor | None = None  #: (N, R) weight of each comparison; None: equal
    units: Units | None = None  #: (N,) of each comparison, in every problem; None: pairs

    def __post_init__(self) -> None:
        loss, labels = self.objective.loss.properties, self.objective.labels
        if not (loss.smooth and loss.convex and labels.smooth):
            raise ConfigurationError(
                "what is exact here takes a smooth convex loss under a smooth label model, not "
                f"{self.objective.describe()}."
            )

    def solve(self, start: Tensor | None = None, tolerance: float = 1e-10) -> Tensor:
        """Weights (R, D) at the minimum; of an objective that is not convex, a local one.

        Newton's method under a convex mean, L-BFGS under what else is smooth. Where the risk has
        kinks L-BFGS, and the bundle method for the problems that it leaves unproven; if the
        objective is not convex either L-BFGS, the better of two starts (`start`, and the plain
        objective's solution), as linear heads do it.

        Args:
            start: (R, D); default: zero.
            tolerance: length of the gradient at which a problem is solved; with kinks the distance
                of its value from the minimum, proven where the objective is convex.

        Raises:
            RuntimeError: no minimum was found; without a ridge penalty there may be none.
        """
        first = self.differences.new_zeros(self.differences.shape[1:]) if start is None else start
        if self.objective.smooth:
            # The Hessian leaves out how the weights of a risk but the mean move.
            if self.objective.convex and self.objective.risk.properties.direction == "none":
                return newton(self.values, first, tolerance)
            for _ in range(RESTARTS):  # the first guess of the Hessian may be spoilt far from it
                # The gap is |g|^2 with this modulus.
                ended = self._lbfgs(first, 0.5, tolerance**2)
                first = ended.parameters.T
                if bool((ended.gaps <= tolerance**2).all()):
                    break
            return _solved(first, self.values(first)[1], tolerance)
        if self.objective.convex:
            return self._with_kinks(first, tolerance)
        plain = replace(
            self, objective=Objective(), evidence=Evidence(self.evidence.label), units=None
        )
        starts = (first, newton(plain.values, first, 1e-6))
        one, other = (self._lbfgs(start, 0.5, tolerance) for start in starts)
        return torch.where(one.values <= other.values, one.parameters, other.parameters).T

    def values(self, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Objectives (R,), gradients (R, D) and Hessians (R, D, D) at weights (R, D).

        A risk's weights of the pairs count as fixed in the Hessian. A loss is a sum of functions
        of one margin each, so by margins the Hessian is diagonal.
        """
        x = self.differences
        value, first, second = self._by_margin(weights, twice=True)
        values = value + self.l2 / 2 * weights.square().sum(1)
        gradients = torch.einsum("nrd,nr->rd", x, first) + self.l2 * weights
        ridge = self.l2 * torch.eye(x.shape[-1], dtype=x.dtype)
        return values, gradients, torch.einsum("nrd,nre->rde", second[..., None] * x, x) + ridge

    def _by_margin(self, weights: Tensor, twice: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The risk (R,) at weights (R, D), its slopes and curvatures (N + P, R) by margins."""
        rows = len(self.evidence.label)
        m = torch.einsum("nrd,rd->nr", self.differences, weights).requires_grad_()
        with torch.enable_grad():
            value = self.objective(
                m[:rows],
                self.evidence,
                mass=self.mass,
                units=self.units,
                reference_margins=m[rows:],
            ).value
            (first,) = torch.autograd.grad(value.sum(), m, create_graph=twice)
            second = torch.autograd.grad(first.sum(), m)[0] if twice else torch.empty(0)
        return value.detach(), first.detach(), second

    def _risk(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The risk (R,) at weights (R, D) without the ridge penalty, and its gradients (R, D)."""
        value, slopes, _ = self._by_margin(weights, twice=False)
        return value, torch.einsum("nrd,nr->rd", self.differences, slopes)

    def _with_kinks(self, start: Tensor, tolerance: float) -> Tensor:
        """L-BFGS, and the bundle method of the linear heads where that proves nothing."""
        fits = self._lbfgs(start, self.l2, tolerance)
        weights, left = fits.parameters.T.clone(), torch.nonzero(fits.gaps > tolerance).squeeze(1)
        if not len(left):
            return weights
        unsolved = self.part(left)

        def oracle(weights: Floats, problems: Indices) -> tuple[Floats, Floats]:
            part = unsolved.part(torch.from_numpy(problems))
            risks, slopes = part._risk(torch.from_numpy(weights.T.copy()))
            return risks.numpy(), slopes.T.numpy()

        ridge = np.full(len(left), self.l2)
        ends = bundle.minimise(oracle, np.zeros(weights.shape[1]), ridge, tolerance)
        for k, end in zip(left.tolist(), ends, strict=True):
            value = min(end.value, float(fits.values[k]))
            if (gap := value - (end.value - end.gap)) > 10 * tolerance:
                raise RuntimeError(f"no minimum was found: {gap:.1e} may be left.")
            if end.value < fits.values[k]:
                weights[k] = torch.from_numpy(end.parameters)
        return weights

    def _lbfgs(self, start: Tensor, modulus: float, tolerance: float) -> lbfgs.Minima:
        """L-BFGS, with the Hessian at the start for a first guess."""
        factors = torch.linalg.cholesky(self.values(start)[2])

        def oracle(weights: Tensor, problems: Tensor) -> tuple[Tensor, Tensor]:
            values, gradients = self.part(problems)._risk(weights.T)
            ridge = self.l2 * weights
            return values + (ridge * weights).sum(0) / 2, gradients.T + ridge

        def precondition(gradients: Tensor, problems: Tensor) -> Tensor:
            return torch.cholesky_solve(gradients.T[..., None], factors[problems]).squeeze(-1).T

        moduli = torch.full((len(start),), modulus, dtype=start.dtype)
        return lbfgs.minimise(oracle, start.T, moduli, precondition, tolerance)

    def part(self, problems: Tensor) -> LinearProblems:
        """The problems with these indices (k,)."""
        if len(problems) == self.differences.shape[1]:
            return self
        mass = None if self.mass is None else self.mass[:, problems]
        return replace(
            self,
            differences=self.differences[:, problems],
            evidence=self.evidence.column(problems),
            mass=mass,
        )


def newton(values: Values, weights: Tensor, tolerance: float = 1e-10) -> Tensor:
    """Newton's method from weights (R, D), steps halved until they descend.

    A problem is solved where its gradient is no longer than the tolerance.

    Raises:
        RuntimeError: no minimum was found.
    """
    reached, gradients, hessians = values(weights)
    for _ in range(STEPS):
        if not bool((gradients.norm(dim=1) > tolerance).any()):
            break
        before = reached
        steps = torch.linalg.solve(hessians, gradients)
        slopes = (steps * gradients).sum(1)
        size = torch.ones_like(before)
        for _ in range(HALVINGS):
            trial = weights - size[:, None] * steps
            reached, gradients, hessians = values(trial)
            # Near the end values are equal to rounding: there a full step is right. What is no
            # number (a step of no curvature went too far) is no descent.
            enough = before - 1e-4 * size * slopes + 1e-13 * (1 + before.abs())
            short = ~(reached <= enough)
            if not bool(short.any()):
                break
            size = torch.where(short, size / 2, size)
        weights = trial
    return _solved(weights, gradients, tolerance)


def _solved(weights: Tensor, gradients: Tensor, tolerance: float) -> Tensor:
    left = float(gradients.norm(dim=1).max())
    if not left <= 100 * tolerance:
        raise RuntimeError(f"no minimum was found: a gradient of length {left:.1e} is left.")
    return weights
