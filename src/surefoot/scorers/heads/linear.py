"""Linear head: solved to optimality where the objective is convex."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.objectives import Evidence, Objective
from surefoot.scorers import bundle, lbfgs
from surefoot.scorers.head import Fit, Head, Parameters, Problem

GAP = 1e-8  # at which a smooth problem is solved
GAP_WITH_KINKS = 1e-4
ROUGH_GAP = 1e-3  # for folds, which only choose among penalties
LARGEST_EIGENPROBLEM = 2500


class Linear(Head, kind="linear"):
    """reward = w . features: convex in w with every convex objective.

    Smooth convex objectives are solved by L-BFGS, those with kinks by a bundle method; both prove
    how close the value is to the minimum. Objectives that are not convex end in a local optimum,
    the better of two starts: zero, and the solution of the plain objective.
    """

    def fit(self, problem: Problem, certify: bool = True) -> Fit:
        """Fit K heads on (N, 2, D) features; see :class:`Head`."""
        objective = problem.objective
        differences = (problem.features[:, 0] - problem.features[:, 1]).double()
        solver = _Solver(problem, differences)
        if objective.convex and not objective.smooth:
            return solver.with_kinks(certify)
        found = solver.smooth(solver.zeros())
        if not objective.convex:
            plain = _Solver(_plain(problem), differences).smooth(solver.zeros())
            found = _better(found, solver.smooth(plain.parameters))
            return _fit(found, proven=False, note=_LOCAL.format(objective.describe()))
        return _fit(found, proven=True, note=_SOLVED.format("L-BFGS", found.gaps.max()))

    def rewards(self, parameters: Parameters, features: Tensor) -> Tensor:
        """Rewards (..., K) of features (..., D)."""
        return features @ parameters["weight"].to(features)

    def candidates(self) -> tuple[float, ...]:
        """Nine penalties from 1e-3 to 10."""
        return tuple(10 ** (-3 + k / 2) for k in range(9))

    @property
    def linear(self) -> bool:
        """It is."""
        return True


_SOLVED = "Solved by {}: at most {:.1e} above the minimum."
_LOCAL = (
    "{} is not convex: this is a local optimum, the better of two starts (zero, and the plain "
    "objective's solution)."
)


class _Solver:
    """Values and gradients of the K problems, on differences of features (N, D)."""

    def __init__(self, problem: Problem, differences: Tensor) -> None:
        self.problem, self.x = problem, differences
        self.l2 = problem.l2.double()
        curvature = differences.square().mean(0)
        if differences.shape[1] <= LARGEST_EIGENPROBLEM:
            covariance = differences.T @ differences / len(differences)
            self.eigenvalues, self.basis = torch.linalg.eigh(covariance)
        else:  # too wide for an eigenproblem: the diagonal alone
            self.eigenvalues, self.basis = curvature, None

    def zeros(self) -> Tensor:
        return self.x.new_zeros(self.x.shape[1], len(self.l2))

    def smooth(self, start: Tensor) -> lbfgs.Minima:
        return lbfgs.minimise(self.oracle, start, self.l2, self.precondition, GAP)

    def oracle(self, weights: Tensor, fits: Tensor) -> tuple[Tensor, Tensor]:
        """Values (k,) and gradients (D, k) of some problems at weights (D, k)."""
        margins = (self.x @ weights).requires_grad_()
        with torch.enable_grad():
            values = self.problem.risk(margins, fits).value
            (by_margin,) = torch.autograd.grad(values.sum(), margins)
        ridge = self.l2[fits]
        values = values.detach() + ridge / 2 * weights.square().sum(0)
        return values, self.x.T @ by_margin + ridge * weights

    def precondition(self, gradients: Tensor, fits: Tensor) -> Tensor:
        """Steps (D, k): the inverse of a logistic loss's Hessian at zero."""
        curvature = 0.25 * self.eigenvalues[:, None].clamp_min(0) + self.l2[fits]
        if self.basis is None:
            return gradients / curvature
        return self.basis @ ((self.basis.T @ gradients) / curvature)

    def with_kinks(self, certify: bool) -> Fit:
        """Each problem by the bundle method, to a small gap or, not to certify, a rough one."""
        gap, steps = (GAP_WITH_KINKS, 400) if certify else (ROUGH_GAP, 40)
        ends = [self._bundle(fit, gap, steps) for fit in range(len(self.l2))]
        found = lbfgs.Minima(
            torch.stack([torch.from_numpy(end.parameters) for end in ends], dim=1),
            torch.tensor([end.value for end in ends], dtype=torch.float64),
            torch.tensor([end.gap for end in ends], dtype=torch.float64),
            max(end.calls for end in ends),
        )
        fit = _fit(found, proven=True, note=_SOLVED.format("a bundle method", found.gaps.max()))
        mixtures = [
            ({"weight": torch.from_numpy(end.points.T)}, torch.from_numpy(end.shares))
            for end in ends
        ]
        return replace(fit, mixtures=tuple(mixtures))

    def _bundle(self, fit: int, gap: float, steps: int) -> bundle.Minimum:
        index, ridge = torch.tensor([fit]), float(self.l2[fit])

        def risk(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            column = torch.from_numpy(w)[:, None]
            value, gradient = self.oracle(column, index)
            plain = value - ridge / 2 * column.square().sum()
            return float(plain), (gradient - ridge * column)[:, 0].numpy()

        return bundle.minimise(risk, np.zeros(self.x.shape[1]), ridge, gap, steps)


def _plain(problem: Problem) -> Problem:
    return Problem(
        problem.features,
        Objective(),
        Evidence(problem.evidence.label),
        problem.mass,
        problem.l2,
        problem.seeds,
    )


def _better(one: lbfgs.Minima, other: lbfgs.Minima) -> lbfgs.Minima:
    first = one.values <= other.values
    return lbfgs.Minima(
        torch.where(first, one.parameters, other.parameters),
        torch.where(first, one.values, other.values),
        torch.where(first, one.gaps, other.gaps),
        max(one.iterations, other.iterations),
    )


def _fit(found: lbfgs.Minima, proven: bool, note: str) -> Fit:
    gaps = found.gaps if proven else torch.full_like(found.gaps, math.inf)
    return Fit({"weight": found.parameters}, found.values, gaps, note)
