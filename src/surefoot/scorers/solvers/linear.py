"""K linear heads at once: smooth objectives by L-BFGS, those with kinks by a bundle method."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.arrays import Floats
from surefoot.scorers.head import Fit, Problem
from surefoot.scorers.solvers import bundle, lbfgs

#: Gap at which a problem is solved, by (smooth, certified). Folds only choose among penalties.
GAPS = {(True, True): 1e-8, (True, False): 1e-5, (False, True): 1e-4, (False, False): 1e-3}
BUNDLE_STEPS, ROUGH_BUNDLE_STEPS = 400, 40
LARGEST_EIGENPROBLEM = 2500

SOLVED = "Solved by {}: at most {:.1e} above the minimum."
NOT_SOLVED = "Not solved: {} stopped at most {:.1e} above the minimum. A larger head.l2 helps."
LOCAL = (
    "{} is not convex: this is a local optimum, the better of two starts (zero, and the plain "
    "objective's solution)."
)


@dataclass(frozen=True)
class Coordinates:
    """Differences of features in their principal axes.

    A ridge penalty and a linear head do not care how the features are rotated, and directions that
    no pair differs in get no weight: N pairs of D features have at most min(N, D) coordinates.
    """

    values: Tensor  #: (N, R) differences
    curvature: Tensor  #: (R,) their mean squares
    axes: Tensor | None  #: (D, R), from coordinates to features; None: they are the features

    @classmethod
    def of(cls, differences: Tensor) -> Coordinates:
        """Coordinates for differences of features (N, D)."""
        rows, columns = differences.shape
        if min(rows, columns) > LARGEST_EIGENPROBLEM:
            return cls(differences, differences.square().mean(0), None)
        if columns <= rows:
            squares, axes = torch.linalg.eigh(differences.T @ differences)
        else:
            squares, left = torch.linalg.eigh(differences @ differences.T)
            axes = differences.T @ (left / squares.clamp_min(1e-300).sqrt())
        kept = squares > 1e-12 * squares.max().clamp_min(1e-300)
        axes = axes[:, kept]
        return cls(differences @ axes, squares[kept] / rows, axes)

    @classmethod
    def of_problem(cls, problem: Problem) -> Coordinates:
        """Coordinates for a problem's features, once for all fits on them."""
        features, known = problem.shared.get("coordinates", (None, None))
        if features is not problem.features:
            known = cls.of((problem.features[:, 0] - problem.features[:, 1]).double())
            problem.shared["coordinates"] = (problem.features, known)
        return known

    def to_features(self, weights: Tensor) -> Tensor:
        """Weights of features (D, K) from weights of coordinates (R, K)."""
        return weights if self.axes is None else self.axes @ weights


class LinearSolver:
    """Values and gradients of K problems, and the ways to their minima."""

    def __init__(self, problem: Problem, certify: bool) -> None:
        self.problem, self.certify = problem, certify
        self.coordinates = Coordinates.of_problem(problem)
        self.l2 = problem.l2.double()

    def solve(self) -> Fit:
        """Minimise by the way that the objective allows."""
        objective = self.problem.objective
        if not objective.convex:
            return self._local()
        if not objective.smooth:
            return self._with_kinks()
        return self._fit(self._lbfgs(self._zeros()), "L-BFGS")

    def _local(self) -> Fit:
        """The better of two L-BFGS runs, from zero and from the plain solution; nothing proven."""
        convex = LinearSolver(self.problem.plain(), self.certify)
        one = self._lbfgs(self._zeros())
        other = self._lbfgs(convex._lbfgs(self._zeros()).parameters)
        first = one.values <= other.values
        better = lbfgs.Minima(
            torch.where(first, one.parameters, other.parameters),
            torch.where(first, one.values, other.values),
            torch.full_like(one.gaps, math.inf),
        )
        note = LOCAL.format(self.problem.objective.describe())
        return replace(self._fit(better, "L-BFGS"), notes=(note,) * len(self.l2))

    def _with_kinks(self) -> Fit:
        """By the bundle method, in lock-step from zero."""
        steps = BUNDLE_STEPS if self.certify else ROUGH_BUNDLE_STEPS

        def oracle(weights: Floats, fits: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
            risks, slopes = self.risk(torch.from_numpy(weights), torch.from_numpy(fits))
            return risks.numpy(), slopes.numpy()

        start, gap = np.zeros(self.coordinates.values.shape[1]), GAPS[False, self.certify]
        with one_thread():
            ends = bundle.minimise(oracle, start, self.l2.numpy(), gap, steps)
        parameters, values, gaps, points, shares = zip(*ends, strict=True)
        minima = lbfgs.Minima(
            torch.from_numpy(np.stack(parameters, axis=1)),
            torch.tensor(values, dtype=torch.float64),
            torch.tensor(gaps, dtype=torch.float64),
        )
        tops = [{"weight": self.coordinates.to_features(torch.from_numpy(p.T))} for p in points]
        mixtures = tuple(zip(tops, map(torch.from_numpy, shares), strict=True))
        return replace(self._fit(minima, "a bundle method"), mixtures=mixtures)

    def largest_radius(self) -> Tensor:
        """The radius (K,) of a Wasserstein ball from which the head of zeros is a local optimum.

        The length of the plain gradient there over the root mean square of the losses' slopes:
        under the logistic loss and hard labels, of the mean of preferred less other features.
        """
        fits = torch.arange(len(self.l2))
        _, gradients = self.risk(self._zeros(), fits)
        margins = self.coordinates.values.new_zeros(len(self.coordinates.values), len(fits))
        slopes = self.problem.squared_slopes(margins)
        share = self.problem.risk(margins, fits).weights
        return gradients.norm(dim=0) / (share * slopes).sum(0).sqrt()

    def oracle(self, weights: Tensor, fits: Tensor) -> tuple[Tensor, Tensor]:
        """Values (k,) and gradients (R, k) of some problems at weights (R, k)."""
        risks, slopes = self.risk(weights, fits)
        ridge = self.l2[fits]
        return risks + ridge / 2 * weights.square().sum(0), slopes + ridge * weights

    def risk(self, weights: Tensor, fits: Tensor) -> tuple[Tensor, Tensor]:
        """Risks and their slopes without the ridge penalty."""
        x = self.coordinates.values
        margins = (x @ weights).requires_grad_()
        steepness = weights.square().sum(0).requires_grad_()  # axes are orthonormal
        with torch.enable_grad():
            values = self.problem.value(margins, steepness, fits)
            by_margin, by_steepness = torch.autograd.grad(
                values.sum(), (margins, steepness), materialize_grads=True
            )
        return values.detach(), x.T @ by_margin + 2 * by_steepness * weights

    def _precondition(self, gradients: Tensor, fits: Tensor) -> Tensor:
        """Steps (R, k): the inverse of a logistic loss's Hessian at zero."""
        return gradients / (0.25 * self.coordinates.curvature[:, None] + self.l2[fits])

    def _zeros(self) -> Tensor:
        return self.coordinates.values.new_zeros(self.coordinates.values.shape[1], len(self.l2))

    def _lbfgs(self, start: Tensor) -> lbfgs.Minima:
        gap = GAPS[True, self.certify]
        return lbfgs.minimise(self.oracle, start, self.l2, self._precondition, gap)

    def _fit(self, minima: lbfgs.Minima, method: str) -> Fit:
        """What a method has found, with notes that say how near it is."""
        solved = 10 * GAPS[self.problem.objective.smooth, self.certify]
        notes = [
            (SOLVED if gap <= solved else NOT_SOLVED).format(method, gap)
            for gap in minima.gaps.tolist()
        ]
        weight = self.coordinates.to_features(minima.parameters)
        return Fit({"weight": weight}, minima.values, minima.gaps, tuple(notes))


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of torch for small fits: two that wait for each other on a busy machine are slow.

    With two threads on two cores that others used too, the fits took three times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
