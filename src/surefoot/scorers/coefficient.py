"""The coefficient of a control variate that leaves the parameters least uncertain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surefoot.objectives import Evidence, Objective
from surefoot.objectives.label_model import expected_loss
from surefoot.objectives.label_models.control_variate import ControlVariate
from surefoot.objectives.margin_loss import MarginLoss
from surefoot.scorers.cross_validation import cross_validate
from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.linear import Linear
from surefoot.scorers.linear_solver import Coordinates

#: Standard errors that a coefficient has to be away from 0 to be used at all.
TELLING = 2.0


@dataclass(frozen=True)
class Coefficient:
    """A fitted coefficient.

    Attributes:
        value: in [0, 1]; 0 where the auxiliary model is of no use.
        raw: before it is shrunk and cut to [0, 1].
        std: standard error of `raw`.
    """

    value: float
    raw: float
    std: float

    def __str__(self) -> str:
        return f"{self.value:.3f} (before shrinking {self.raw:.3f}, standard error {self.std:.3f})"


def is_fitted(objective: Objective) -> bool:
    """Whether the objective's coefficient has to be fitted before anything else."""
    labels = objective.labels
    return isinstance(labels, ControlVariate) and labels.coefficient == "fitted"


def with_coefficient(objective: Objective, coefficient: float) -> Objective:
    """The objective with its coefficient in place of `fitted`."""
    assert isinstance(objective.labels, ControlVariate)
    return objective.model_copy(update={"labels": objective.labels.fixed(coefficient)})


def fit_coefficient(problem: Problem, folds: Tensor) -> Coefficient:
    """Minimise the estimated tr(H^-1 Var(s - c d) H^-1) over c, out of fold, then shrink.

    s is a row's score (the gradient of its plain loss), d that of its control variate and H the
    Hessian, at a plain linear head that did not see the row. The minimum is
    tr(H^-1 Cov(s, d) H^-1) / tr(H^-1 Var(d) H^-1). It is used where it is two standard errors
    away from 0, and shrunk toward 0 by the share of its square that is noise.

    Args:
        problem: one fit, with reference pairs; a linear head is fitted on its features whatever
            the head in question is.
        folds: (N,) fold of each row.
    """
    plain = _plain(problem)
    l2 = cross_validate(Linear(), plain, folds[:, None])[0].l2
    count = int(folds.max()) + 1
    inside = folds[:, None] != torch.arange(count)  # (N, F)
    batch = replace(
        plain,
        mass=problem.mass * inside,
        l2=torch.full((count,), l2, dtype=torch.float64),
        seeds=problem.seeds * count,
    )
    heads = Linear(l2=l2).fit(batch, certify=False)
    margins = margins_of(batch.scores(Linear(), heads.parameters)).double()  # (N + P, F)
    x = Coordinates.of_problem(problem).values
    parts = [_standardised(problem, x, margins[:, f], inside[:, f], l2) for f in range(count)]
    s, d, mass = (torch.cat(columns) for columns in zip(*parts, strict=True))
    s, d = (values - (mass * values).sum(0) / mass.sum() for values in (s, d))
    scatter = float((mass * d.square()).sum())
    if scatter <= 0:
        return Coefficient(0.0, 0.0, 0.0)
    raw = float((mass * s * d).sum()) / scatter
    residual = ((s - raw * d) * d * mass).sum(1)
    std = float(residual.square().sum().sqrt()) / scatter
    if raw <= TELLING * std:
        return Coefficient(0.0, raw, std)
    return Coefficient(min(1.0, raw * (1 - (std / raw) ** 2)), raw, std)


def _plain(problem: Problem) -> Problem:
    """The same fits with the control variate left out."""
    return replace(
        problem,
        objective=Objective(loss=problem.objective.loss),
        evidence=Evidence(problem.evidence.label),
        units=None,
    )


def _standardised(
    problem: Problem, x: Tensor, margins: Tensor, inside: Tensor, l2: float
) -> tuple[Tensor, Tensor, Tensor]:
    """H^-1 s and H^-1 d (n, R) of the n rows that a head did not see, and their mass (n, 1).

    Args:
        problem: one fit.
        x: (N + P, R) differences of features.
        margins: (N + P,) by the head.
        inside: (N,) the rows that it was fitted on.
        l2: its ridge penalty.
    """
    psi, evidence = problem.objective.loss, problem.evidence
    assert evidence.auxiliary is not None
    assert evidence.references is not None
    rows = len(inside)
    own, theirs = margins[:rows], margins[rows:]
    mass = problem.mass[:, :1]
    slope, curvature = _derivatives(psi, own, evidence.label)
    share = (mass[:, 0] * inside) / (mass[:, 0] * inside).sum()
    hessian = x[:rows].T @ ((share * curvature.clamp_min(0))[:, None] * x[:rows])
    factor = torch.linalg.cholesky(hessian + l2 * torch.eye(x.shape[1], dtype=x.dtype))
    of_pairs = _derivatives(psi, theirs, evidence.references.auxiliary)[0][:, None] * x[rows:]
    known = _derivatives(psi, own, evidence.auxiliary)[0][:, None] * x[:rows]
    d = known - evidence.references.average(of_pairs)
    held_out = ~inside
    s, d = (
        torch.cholesky_solve(values[held_out].T, factor).T
        for values in (slope[:, None] * x[:rows], d)
    )
    return s, d, mass[held_out]


def _derivatives(psi: MarginLoss, margins: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
    """First and second derivative (n,) of the expected loss of margins (n,)."""
    with torch.enable_grad():
        m = margins.detach().requires_grad_()
        losses = expected_loss(psi, m, chance)
        (first,) = torch.autograd.grad(losses.sum(), m, create_graph=True)
        second = torch.zeros_like(first)
        if first.requires_grad:
            (second,) = torch.autograd.grad(first.sum(), m)
    return first.detach(), second
