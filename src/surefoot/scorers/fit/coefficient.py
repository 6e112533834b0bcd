"""The coefficient of a control variate that leaves the parameters least uncertain.

How far the estimate is shrunk was settled in tabular worlds that are not among those that
`experiments/control_variate` reports. The positive part of James and Stein did as well as a
threshold at two standard errors where the auxiliary model was useless (1.000 to 1.002 of the plain
loss's mean squared error; without either 1.005), and better where it was noisy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from surefoot.objectives import Objective
from surefoot.objectives.label_model import expected_loss
from surefoot.objectives.label_models.control_variate import ControlVariate
from surefoot.objectives.margin_loss import MarginLoss
from surefoot.scorers.head import Problem, cross_validate, margins_of
from surefoot.scorers.heads.linear import Linear
from surefoot.scorers.solvers.linear import Coordinates
from surefoot.statistics.dependence import FEWEST_CLUSTERS

#: Probability at which few draws count as few, by quantiles of Student's t and the normal.
SURE = 0.999


@dataclass(frozen=True)
class Coefficient:
    """A fitted coefficient."""

    value: float  #: in [0, 1]; 0 where the auxiliary model is of no use
    raw: float  #: before it is shrunk and cut to [0, 1]
    std: float | None  #: standard error of `raw`; None: too few draws of references to say
    draws: int | None = None  #: of reference responses that rows share; None: none is shared

    def __str__(self) -> str:
        error = "unknown" if self.std is None else f"{self.std:.3f}"
        over = "" if self.draws is None else f"; rows share {self.draws} draws of references"
        return f"{self.value:.3f} (before shrinking {self.raw:.3f}, standard error {error}{over})"


def is_fitted(objective: Objective) -> bool:
    """Whether the objective's coefficient has to be fitted before anything else."""
    labels = objective.labels
    return isinstance(labels, ControlVariate) and labels.coefficient == "fitted"


def with_coefficient(objective: Objective, coefficient: float) -> Objective:
    """The objective with its coefficient in place of `fitted`."""
    assert isinstance(objective.labels, ControlVariate)
    return objective.model_copy(update={"labels": objective.labels.fixed(coefficient)})


@dataclass(frozen=True)
class PlainHeads:
    """Linear heads under the plain loss, one for each fold, fitted on the other folds."""

    weights: Tensor  #: (D, F)
    l2: float  #: their ridge penalty, chosen by the same folds


def fit_coefficient(
    problem: Problem, folds: Tensor, heads: PlainHeads | None = None
) -> Coefficient:
    """Minimise the estimated tr(H^-1 Var(sum s - c d) H^-1) over c, out of fold, then shrink.

    s is a row's score (the gradient of its plain loss), d that of its control variate and H the
    Hessian, at a plain linear head that did not see the row; both are centred. To first order the
    parameters are off by H^-1 times the sum over rows of s - c d. Rows that share reference
    responses share what chance put into them: d_i = own_i - mean of the references, and for n
    rows with M pairs the latter adds n^2 / M times the variance of a pair to that of the sum, not
    n / M. So rows are added up within each set of references first, S = sum s and D = sum d, and
    these sums are independent of each other. The variance is sum |H^-1 (S - c D)|^2, least at

        c = sum <H^-1 S, H^-1 D> / sum |H^-1 D|^2,

    with the standard error of that ratio; where each row has references of its own, both are what
    they are for independent rows. With a true auxiliary model c tends to M / (M + n) where the
    rewards cannot say the preferences. A pool has no such noise, and its rows count together all
    the same: that its pairs were compared at random is not known, and what was compared more often
    shifts all rows of a prompt.

    It is shrunk toward 0 by the share of its square that is noise (the positive part of James and
    Stein 1961), so it is 0 where it is negative or within one standard error of 0: the error that
    a wrong coefficient adds is its square times the scatter of D, so a little costs next to
    nothing. Few sets know little of their own scatter: where any is shared the standard error is
    :func:`_of_few_sets`.

    The problem is one fit, with reference pairs; a linear head is fitted on its features whatever
    the head in question is. What :func:`plain_heads` finds may be given where it is known: the
    auxiliary model and the reference pairs do not change it.
    """
    heads = plain_heads(problem, folds) if heads is None else heads
    s, d = _standardised(problem, folds, heads)
    mass = problem.mass[:, :1]
    s, d = (values - (mass * values).sum(0) / mass.sum() for values in (s, d))
    sums = _Sums.of(problem, mass, s, d)
    scatters = sums.share[:, 0] * sums.d.square().sum(1)
    scatter = float(scatters.sum())
    if scatter <= 0:
        return Coefficient(0.0, 0.0, 0.0, sums.draws)
    products = sums.share[:, 0] * (sums.s * sums.d).sum(1)
    raw = float(products.sum()) / scatter
    if sums.draws is None:
        std: float | None = float((products - raw * scatters).square().sum().sqrt()) / scatter
    else:
        std = _of_few_sets(sums, scatters)
    value = 0.0 if std is None or raw <= std else raw * (1 - (std / raw) ** 2)
    return Coefficient(min(1.0, value), raw, std, sums.draws)


@dataclass(frozen=True)
class _Sums:
    """Scores and control variates, added up over the rows that share a draw of references."""

    s: Tensor  #: (K, R) sums of mass times what is centred
    d: Tensor
    mass: Tensor  #: (K, 1) of the rows of each
    share: Tensor  #: (K, 1) mass over the sum of its squares: a row alone counts by its mass
    draws: int | None  #: K; None where no two rows share one

    @classmethod
    def of(cls, problem: Problem, mass: Tensor, s: Tensor, d: Tensor) -> _Sums:
        """Sums over mass (N, 1) and centred values (N, R)."""
        references = problem.evidence.references
        assert references is not None
        live = mass[:, 0] > 0
        names, draw = references.draws[references.of][live].unique(return_inverse=True)

        def added(values: Tensor) -> Tensor:
            return values.new_zeros(len(names), values.shape[1]).index_add(0, draw, values)

        mass, s, d = mass[live], s[live], d[live]
        whole, draws = added(mass), len(names) if len(names) < len(mass) else None
        return cls(added(mass * s), added(mass * d), whole, whole / added(mass.square()), draws)

    def without_each(self, one: Tensor, other: Tensor) -> Tensor:
        """Sum (K,) of the products of all draws but one, centred without that one."""

        def rest(values: Tensor) -> Tensor:
            return values.sum(0) - values

        left = rest(self.mass)
        a, b = -one / left, -other / left  # means without it: the sums are centred
        weight = self.share * self.mass
        found = rest(self.share * one * other) + a * b * rest(weight * self.mass)
        return (found - a * rest(weight * other) - b * rest(weight * one)).sum(1)


def _of_few_sets(sums: _Sums, scatters: Tensor) -> float | None:
    """Standard error of the ratio by the jackknife over draws, as wide as Student's t is.

    The ratio's own (a sandwich) is too small where sets are few or one weighs much: .045 for a
    deviation of .057 at ten sets of 40 rows. The jackknife says .061 there; but it is of few values
    itself, and they are not normal. So it counts as much more as the quantile of Student's t is
    above the normal one, at :data:`SURE` and with as many degrees of freedom as draws weigh in the
    scatter, less one. Without that, parameters were up to 1.05 times as far off as plain ones at
    ten sets, where nothing is to be gained.

    Returns:
        None for fewer draws than any interval of ours takes: at five, one data set in some hundreds
        got a coefficient of a useless model that made its error many times as large.
    """
    count = len(sums.s)
    if count < FEWEST_CLUSTERS:
        return None
    ratios = sums.without_each(sums.s, sums.d) / sums.without_each(sums.d, sums.d)
    jackknife = float(((count - 1) * ratios.var(correction=0)).sqrt())
    weighing = float(scatters.sum().square() / scatters.square().sum())
    std = jackknife * float(stdtrit(weighing - 1, SURE) / ndtri(SURE))
    return std if math.isfinite(std) else None


def plain_heads(problem: Problem, folds: Tensor) -> PlainHeads:
    """The heads that :func:`fit_coefficient` takes scores at."""
    rows, objective = len(problem.mass), Objective(loss=problem.objective.loss)
    features = problem.features[:rows]
    plain = replace(
        problem.plain(), features=features, objective=objective, context=None, shared={}
    )
    l2 = cross_validate(Linear(), plain, folds).l2
    count = int(folds.max()) + 1
    batch = replace(
        plain,
        mass=problem.mass * (folds[:, None] != torch.arange(count)),
        l2=torch.full((count,), l2, dtype=torch.float64),
        seeds=problem.seeds * count,
    )
    return PlainHeads(Linear(l2=l2).fit(batch, certify=False).parameters["weight"], l2)


def _standardised(problem: Problem, folds: Tensor, heads: PlainHeads) -> tuple[Tensor, Tensor]:
    """H^-1 s and H^-1 d (N, R) of each row, at the head that did not see it."""
    psi, evidence = problem.objective.loss, problem.evidence.as_columns()
    assert evidence.auxiliary is not None
    assert evidence.references is not None
    x = Coordinates.of_problem(problem).values  # (N + P, R)
    rows, count = len(folds), heads.weights.shape[1]
    margins = margins_of(problem.scores(Linear(), {"weight": heads.weights})).double()
    slopes, curvatures = _derivatives(psi, margins[:rows], evidence.label)  # (N, F)
    known = _derivatives(psi, margins[:rows], evidence.auxiliary)[0]
    of_pairs = _derivatives(psi, margins[rows:], evidence.references.auxiliary)[0]
    s, d = x.new_empty(rows, x.shape[1]), x.new_empty(rows, x.shape[1])
    for f in range(count):
        out = torch.nonzero(folds == f).squeeze(1)
        share = problem.mass[:, 0] * (folds != f)
        share = share / share.sum()
        hessian = x[:rows].T @ ((share * curvatures[:, f].clamp_min(0))[:, None] * x[:rows])
        factor = torch.linalg.cholesky(hessian + heads.l2 * torch.eye(x.shape[1], dtype=x.dtype))
        expected = evidence.references.average(of_pairs[:, f, None] * x[rows:])[out]
        score = slopes[out, f, None] * x[out]
        control = known[out, f, None] * x[out] - expected
        s[out], d[out] = (torch.cholesky_solve(v.T, factor).T for v in (score, control))
    return s, d


def _derivatives(psi: MarginLoss, margins: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
    """First and second derivative (n, F) of the expected loss of margins (n, F), chance (n, 1)."""
    with torch.enable_grad():
        m = margins.detach().requires_grad_()
        losses = expected_loss(psi, m, chance)
        (first,) = torch.autograd.grad(losses.sum(), m, create_graph=True)
        second = torch.zeros_like(first)
        if first.requires_grad:
            (second,) = torch.autograd.grad(first.sum(), m)
    return first.detach(), second
