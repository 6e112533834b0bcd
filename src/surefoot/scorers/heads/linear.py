"""Linear head: solved to optimality where the objective is convex."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.scorers.head import Fit, Head, Parameters, Problem

if TYPE_CHECKING:
    from torch import Tensor


class Linear(Head, kind="linear"):
    """reward = w . features: convex in w with every convex objective.

    Smooth convex objectives are solved by L-BFGS, those with kinks by a bundle method; both prove
    how close the value is to the minimum. Objectives that are not convex end in a local optimum,
    the better of two starts: zero, and the solution of the plain objective.
    """

    linear = True
    candidates = tuple(10 ** (-3 + k / 2) for k in range(9))

    def fit(self, problem: Problem, certify: bool = True) -> Fit:
        """Fit K heads on (N, 2, D) features; see :class:`Head`."""
        from surefoot.scorers.solvers.linear import LinearSolver

        return LinearSolver(problem, certify).solve()

    def scores(
        self, parameters: Parameters, features: Tensor, context: Tensor | None = None
    ) -> Tensor:
        """Rewards (n, 2, K) of features (n, 2, D)."""
        return features @ parameters["weight"].to(features)
