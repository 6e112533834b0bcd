"""The solvers against general ones, and their certificates against the truth."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from surefoot.objectives import Evidence, Objective, Units
from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.linear import Linear
from surefoot.scorers.heads.mlp import MLP

N, D = 120, 8


def _problem(objective, l2=(0.1,), mass=None, units=None, seed=0, label=None) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(N, 2, D, generator=generator)
    truth = torch.randn(D, generator=generator)
    margins = (features[:, 0] - features[:, 1]) @ truth
    drawn = torch.rand(N, generator=generator) < torch.sigmoid(margins)
    return Problem(
        features=features,
        objective=Objective(**objective),
        evidence=Evidence(drawn.double() if label is None else label),
        mass=torch.ones(N, len(l2), dtype=torch.float64) if mass is None else mass,
        l2=torch.tensor(l2, dtype=torch.float64),
        seeds=tuple(range(len(l2))),
        units=units,
    )


def _x_and_sign(problem):
    x = (problem.features[:, 0] - problem.features[:, 1]).double().numpy()
    return x, 2 * problem.evidence.label.numpy() - 1


def test_logistic_equals_scikit_learn():
    problem = _problem({}, l2=(0.05,))
    x, sign = _x_and_sign(problem)
    theirs = LogisticRegression(C=1 / (0.05 * N), fit_intercept=False, tol=1e-10, max_iter=10_000)
    theirs.fit(np.concatenate([x, -x]), np.concatenate([sign, -sign]), np.full(2 * N, 0.5))
    ours = Linear().fit(problem)
    np.testing.assert_allclose(ours.parameters["weight"][:, 0], theirs.coef_[0], atol=2e-4)


def _cvxpy_optimum(problem, l2, kind, level=1.0, groups=None):
    x, sign = _x_and_sign(problem)
    w = cp.Variable(D)
    margins = cp.multiply(sign, x @ w)
    losses = {
        "logistic": cp.logistic(-margins),
        "hinge": cp.pos(1 - margins),
        "squared": cp.square(margins - 1),
    }[kind]
    if groups is not None:
        losses = cp.hstack([cp.mean(losses[groups == g]) for g in np.unique(groups)])
        shares = np.bincount(groups) / N
        eta = cp.Variable()
        risk = eta + cp.pos(losses - eta) @ shares / level
    elif level < 1:
        eta = cp.Variable()
        risk = eta + cp.sum(cp.pos(losses - eta)) / (N * level)
    else:
        risk = cp.mean(losses)
    objective = cp.Problem(cp.Minimize(risk + l2 / 2 * cp.sum_squares(w)))
    objective.solve(solver=cp.CLARABEL)
    return objective.value


@pytest.mark.parametrize("loss", ["logistic", "hinge", "squared"])
@pytest.mark.parametrize("level", [1.0, 0.3])
def test_optimum_equals_a_convex_solver(loss, level):
    problem = _problem({"loss": loss, "risk": {"kind": "cvar", "level": level}})
    best = _cvxpy_optimum(problem, 0.1, loss, level)
    fit = Linear().fit(problem)
    assert fit.values.item() == pytest.approx(best, abs=2e-4)
    assert fit.values.item() - best <= fit.gaps.item() + 1e-6  # the certificate holds
    assert fit.gaps.item() <= 1e-4


def test_group_risk_equals_a_convex_solver_and_balances_tied_groups():
    groups = np.arange(N) % 3
    units = Units(torch.from_numpy(groups), 3)
    problem = _problem({"risk": {"kind": "cvar", "level": 0.4, "unit": "group"}}, units=units)
    fit = Linear().fit(problem)
    assert fit.values.item() == pytest.approx(
        _cvxpy_optimum(problem, 0.1, "logistic", 0.4, groups), abs=2e-4
    )
    # At the optimum the mixture of worst cases balances the ridge: a stationary point.
    parameters, shares = fit.mixtures[0]
    margins = margins_of(Linear().scores(parameters, problem.features.double()))
    margins.requires_grad_()
    value = problem.risk(margins, torch.zeros(len(shares), dtype=torch.int64)).value
    (by_margin,) = torch.autograd.grad((value * shares).sum(), margins)
    x = (problem.features[:, 0] - problem.features[:, 1]).double()
    stationarity = (x.T @ by_margin).sum(1) + 0.1 * fit.parameters["weight"][:, 0]
    assert stationarity.norm() < 0.02


def test_a_batch_of_heads_equals_one_at_a_time():
    l2 = (0.01, 0.1, 1.0, 0.1)
    mass = torch.ones(N, 4, dtype=torch.float64)
    mass[:40, 3] = 0
    together = Linear().fit(_problem({}, l2, mass))
    for k in range(4):
        apart = Linear().fit(_problem({}, l2[k : k + 1], mass[:, k : k + 1]))
        torch.testing.assert_close(
            together.parameters["weight"][:, k], apart.parameters["weight"][:, 0], atol=1e-4, rtol=0
        )
    assert (together.gaps <= 1e-8).all()


def test_rows_without_mass_are_absent():
    mass = torch.ones(N, 1, dtype=torch.float64)
    mass[60:] = 0
    masked = _problem({}, mass=mass)
    cut = Problem(
        masked.features[:60],
        masked.objective,
        masked.evidence[:60],
        mass[:60],
        masked.l2,
        masked.seeds,
    )
    torch.testing.assert_close(
        Linear().fit(masked).parameters["weight"], Linear().fit(cut).parameters["weight"],
        atol=1e-4, rtol=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "objective",
    [
        {"loss": "probit"},
        {"labels": {"kind": "slack", "penalty": 0.3}},
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.2}},
        {"risk": {"kind": "kl-penalised", "temperature": 0.3}},
    ],
)
def test_smooth_objectives_end_where_the_gradient_is_nothing(objective):
    problem = _problem(objective)
    fit = Linear().fit(problem)
    weight = fit.parameters["weight"].clone().requires_grad_()
    x = (problem.features[:, 0] - problem.features[:, 1]).double()
    value = problem.risk(x @ weight).value.sum() + 0.05 * weight.square().sum()
    (gradient,) = torch.autograd.grad(value, weight)
    assert gradient.norm() < 1e-4
    assert "above the minimum" in fit.note


def test_what_is_not_convex_says_so_and_improves_on_the_plain_solution():
    plain = Linear().fit(_problem({}))
    problem = _problem({"risk": {"kind": "soft-minimum", "temperature": 0.5}})
    fit = Linear().fit(problem)
    assert "local optimum" in fit.note
    assert fit.gaps.isinf().all()
    x = (problem.features[:, 0] - problem.features[:, 1]).double()
    at_plain = problem.risk(x @ plain.parameters["weight"]).value
    at_plain = at_plain + 0.05 * plain.parameters["weight"].square().sum()
    assert fit.values.item() < at_plain.item()


def test_preference_ball_with_kinks_is_certified():
    label = torch.rand(N, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    problem = _problem({"labels": {"kind": "preference-ball", "radius": 0.2}}, label=label)
    fit = Linear().fit(problem)
    assert fit.gaps.item() <= 1e-4
    for seed in range(20):  # no nearby point is lower by more than the gap
        step = 0.05 * torch.randn(D, 1, generator=torch.Generator().manual_seed(seed)).double()
        near = fit.parameters["weight"] + step
        x = (problem.features[:, 0] - problem.features[:, 1]).double()
        value = problem.risk(x @ near).value + 0.05 * near.square().sum(0)
        assert value.item() >= fit.values.item() - fit.gaps.item()


@pytest.mark.parametrize("together", [2, 64])
@pytest.mark.parametrize("risk", ["mean", {"kind": "cvar", "level": 0.3}], ids=str)
def test_problems_with_kinks_in_lock_step_equal_one_at_a_time(risk, together, monkeypatch):
    monkeypatch.setattr("surefoot.scorers.solvers.bundle.TOGETHER", together)
    l2 = (0.01, 0.1, 1.0, 0.1, 0.03)
    mass = torch.ones(N, len(l2), dtype=torch.float64)
    mass[:40, 3] = 0
    problem = _problem({"loss": "hinge", "risk": risk}, l2, mass)
    fit = Linear().fit(problem)
    for k in range(len(l2)):
        alone = Linear().fit(problem.part(torch.tensor([k])))
        torch.testing.assert_close(fit.values[[k]], alone.values, atol=1e-9, rtol=0)
        torch.testing.assert_close(fit.gaps[[k]], alone.gaps, atol=1e-9, rtol=0)
        own, theirs = fit.parameters["weight"][:, [k]], alone.parameters["weight"]
        torch.testing.assert_close(own, theirs, atol=1e-5, rtol=0)
        assert fit.notes[k] == alone.note
        (weights, shares), (their_weights, their_shares) = fit.mixtures[k], alone.mixtures[0]
        torch.testing.assert_close(shares, their_shares, atol=1e-5, rtol=0)
        torch.testing.assert_close(weights, their_weights, atol=1e-5, rtol=0)


def test_what_is_not_solved_says_so(monkeypatch):
    monkeypatch.setattr("surefoot.scorers.solvers.linear.BUNDLE_STEPS", 2)
    fit = Linear().fit(_problem({"loss": "hinge"}, l2=(1e-4,)))
    assert fit.gaps.item() > 1e-3
    assert fit.note.startswith("Not solved")


class TestMLP:
    def test_learns_and_repeats(self):
        problem = _problem({}, l2=(0.001, 0.001))
        problem = Problem(**{**vars(problem), "seeds": (0, 1)})
        head = MLP(hidden=16, steps=200, learning_rate=0.01)
        one, two = head.fit(problem), head.fit(problem)
        torch.testing.assert_close(one.parameters, two.parameters, rtol=0, atol=0)
        right = (
            (
                (margins_of(head.scores(one.parameters, problem.features)) > 0)
                == (problem.evidence.label[:, None] > 0.5)
            )
            .float()
            .mean(0)
        )
        assert (right > 0.85).all()
        assert not torch.equal(one.parameters["out"][0], one.parameters["out"][1])

    def test_heads_do_not_depend_on_their_neighbours(self):
        head = MLP(hidden=8, steps=20)
        both = head.fit(_problem({}, l2=(0.01, 0.1)))
        alone = head.fit(_problem({}, l2=(0.01,)))
        torch.testing.assert_close(
            both.parameters["weight"][:1], alone.parameters["weight"], rtol=1e-4, atol=1e-5
        )

    def test_a_batch_that_is_too_large_is_cut_and_nothing_changes(self, monkeypatch):
        head = MLP(hidden=8, steps=20)
        problem = _problem({}, l2=(0.01, 0.1, 0.03))
        whole = head.fit(problem)
        rewards = head.scores(whole.parameters, problem.features)
        monkeypatch.setattr("surefoot.scorers.solvers.trained.ACTIVATIONS", 2 * (2 * N) * 8)
        cut = head.fit(problem)  # two heads, and one
        torch.testing.assert_close(cut.parameters, whole.parameters, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(cut.values, whole.values)
        assert cut.notes == whole.notes
        torch.testing.assert_close(head.scores(whole.parameters, problem.features), rewards)

    def test_what_is_not_finite_stops(self):
        problem = _problem({"loss": "squared"})
        problem = Problem(**{**vars(problem), "features": problem.features * 1e30})
        with pytest.raises(Exception, match="not finite"):
            MLP(hidden=4, steps=3).fit(problem)

    def test_the_last_step_is_looked_at_too(self):
        problem = _problem({})
        with pytest.raises(Exception, match="at step 1: not finite"):
            MLP(hidden=4, steps=1, learning_rate=1e30).fit(problem)
        fit = MLP(hidden=4, steps=2).fit(problem)
        rewards = problem.scores(MLP(hidden=4), fit.parameters)
        squares = sum(p.square().flatten(1).sum(1) for p in fit.parameters.values())
        expected = problem.risk(rewards[:, 0] - rewards[:, 1]).value + problem.l2 / 2 * squares
        torch.testing.assert_close(fit.values, expected.to(fit.values), rtol=1e-5, atol=1e-6)
