"""Linear heads under balls over groups: the minimum that a conic solver finds, by other means."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
import torch

from surefoot.objectives import Evidence, Objective, Units
from surefoot.scorers.head import Problem
from surefoot.scorers.heads.linear import Linear

N, D, L2 = 90, 4, 0.1
GROUPS = np.repeat([0, 1, 2], [50, 30, 10])


def _problem(risk: dict) -> Problem:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, 2, D))
    x = features[:, 0] - features[:, 1]
    wants = np.where(GROUPS == 2, -1, 1) * x[:, 0] + x[:, 1]  # the smallest differs in one feature
    label = torch.from_numpy((rng.random(N) < 1 / (1 + np.exp(-2 * wants))).astype(float))
    return Problem(
        features=torch.from_numpy(features),
        objective=Objective(risk={"unit": "group", **risk}),
        evidence=Evidence(label),
        mass=torch.ones(N, 1, dtype=torch.float64),
        l2=torch.tensor([L2], dtype=torch.float64),
        seeds=(0,),
        units=Units(torch.from_numpy(GROUPS), 3),
    )


def _optimum(problem: Problem, risk: dict) -> float:
    """From the duals: minimised over the head and the dual variables together."""
    x = (problem.features[:, 0] - problem.features[:, 1]).numpy()
    sign = 2 * problem.evidence.label.numpy() - 1
    w, eta, t = cp.Variable(D), cp.Variable(), cp.Variable()
    margins = cp.multiply(sign, x @ w)
    losses = cp.hstack(
        [cp.sum(cp.logistic(-margins[g == GROUPS])) / (g == GROUPS).sum() for g in range(3)]
    )
    p, constraints = np.bincount(GROUPS) / N, []
    match risk["kind"]:
        case "tv":
            rho = risk["radius"]
            value = rho * cp.max(losses) + (1 - rho) * eta + p @ cp.pos(losses - eta)
        case "chi-squared":
            above = cp.norm(cp.multiply(np.sqrt(p), cp.pos(losses - eta)))
            value = eta + np.sqrt(1 + 2 * risk["radius"]) * above
        case _:  # KL: inf over t of t log E exp(L / t) + t rho, as exponential cones
            bound, u = cp.Variable(3), cp.Variable(3)
            constraints = [bound >= losses, cp.ExpCone(bound - eta, t * np.ones(3), u), p @ u <= t]
            value = eta + t * risk["radius"]
    made = cp.Problem(cp.Minimize(value + L2 / 2 * cp.sum_squares(w)), constraints)
    made.solve(solver=cp.CLARABEL)
    return float(made.value)


@pytest.mark.parametrize(
    "risk",
    [
        {"kind": "tv", "radius": 0.2},
        {"kind": "tv", "radius": 1.0},  # the worst group alone: what group DRO tends to
        {"kind": "chi-squared", "radius": 0.3},
        {"kind": "kl", "radius": 0.2},
    ],
    ids=str,
)
def test_solved_to_the_gap_that_is_promised(risk):
    problem = _problem(risk)
    fit = Linear().fit(problem)
    best = _optimum(problem, risk)
    assert float(fit.gaps[0]) <= 1.1e-4
    assert best - 1e-6 <= float(fit.values[0]) <= best + float(fit.gaps[0]) + 1e-6
    plain = Linear().fit(problem.plain())
    rewards = problem.scores(Linear(), plain.parameters)
    at_plain = float(problem.risk(rewards[:, 0] - rewards[:, 1]).value)
    at_plain += L2 / 2 * float(plain.parameters["weight"].square().sum())
    assert at_plain > best + 0.01  # a robust head is another one


def test_a_trimmed_ball_says_that_it_is_a_local_optimum():
    problem = _problem({"kind": "kl", "radius": 0.2, "trim": 0.1})
    fit = Linear().fit(problem)
    assert "is not convex: this is a local optimum" in fit.note
    assert torch.isinf(fit.gaps).all()
