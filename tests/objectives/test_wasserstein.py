"""The first-order value against the exact robust value, by its one-dimensional dual."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from surefoot.objectives import Evidence, Facts, Objective, enforce
from surefoot.objectives.regularisers.wasserstein import Wasserstein

N = 30


def _ball(radius: float = 1.0, **members) -> Objective:
    return Objective(regularisers=[{"kind": "wasserstein", "radius": radius}], **members)


def _world(seed: int = 0) -> tuple[torch.Tensor, Evidence, torch.Tensor, float]:
    """Margins, evidence with soft labels, weights that sum to 1, and the length of the head."""
    torch.manual_seed(seed)
    margins = 1.5 * torch.randn(N, dtype=torch.float64)
    label = torch.rand(N, dtype=torch.float64)
    label[:10], label[10:20] = 1.0, 0.0
    share = torch.rand(N, dtype=torch.float64) + 0.2
    return margins, Evidence(label), share / share.sum(), 1.7


def _first_order(objective: Objective, radius: float) -> float:
    margins, evidence, share, length = _world()
    losses = objective.pair_losses(margins, evidence)
    squares = objective.squared_gradients(
        margins, evidence, torch.tensor(length**2, dtype=torch.float64)
    )
    return float((share * losses).sum() + Wasserstein(radius=radius)(squares, share))


def _exact(objective: Objective, radius: float, steepest: float) -> float:
    """Inf over g >= 0 of g radius^2 + sum_i share_i sup_t [l_i(m_i + t length) - g t^2].

    The best t is where the slope of the loss is 2 g t: at most steepest * length / (2 g) away.
    """
    margins, evidence, share, length = _world()
    grid = torch.linspace(-1, 1, 4001, dtype=torch.float64)

    def dual(log_g: float) -> float:
        g = math.exp(log_g)
        t = grid * steepest * length / (2 * g)
        at = margins[:, None] + t * length
        inner = objective.pair_losses(at, evidence.as_columns()) - g * t.square()
        return g * radius**2 + float((share * inner.amax(1)).sum())

    around = math.log(length / radius)
    found = minimize_scalar(
        dual, bounds=(around - 6, around + 3), method="bounded", options={"xatol": 1e-7}
    )
    return float(found.fun)


RADII = (0.2, 0.1, 0.05, 0.025)


@pytest.mark.parametrize(
    ("members", "steepest", "curvature"),
    [
        ({}, 1.0, 0.25),
        ({"labels": {"kind": "smoothed", "flip_rate": 0.2}}, 1.0, 0.25),
        ({"labels": {"kind": "slack", "penalty": 0.6}}, 0.6, 0.25),
    ],
)
def test_the_error_falls_like_the_square_of_the_radius_and_is_of_one_sign(
    members, steepest, curvature
):
    objective = _ball(**members)
    errors = np.array([_exact(objective, r, steepest) - _first_order(objective, r) for r in RADII])
    highest = curvature * 1.7**2 * np.square(RADII) / 2
    assert (errors > 0).all()  # the first-order value is a lower bound for convex losses
    assert (errors < highest).all()
    assert errors[1:] / errors[:-1] == pytest.approx(np.full(3, 0.25), rel=0.1)


def test_the_squared_loss_in_closed_form():
    """Of a quadratic the robust value is (sqrt(mean l) + radius length)^2, at any radius."""
    margins, _, share, length = _world()
    objective = _ball(loss="squared")
    plain = float((share * (margins - 1).square()).sum())
    evidence = Evidence(torch.ones(N, dtype=torch.float64))
    squares = objective.squared_gradients(
        margins, evidence, torch.tensor(length**2, dtype=torch.float64)
    )
    for radius in (0.01, 0.3, 4.0):
        exact = (math.sqrt(plain) + radius * length) ** 2
        found = plain + float(Wasserstein(radius=radius)(squares, share))
        assert exact - found == pytest.approx((radius * length) ** 2)  # B = 2: the bound is met


def test_the_world_of_the_dual_is_the_world_of_the_ball():
    """The dual is met by data that lie in the ball: each margin moved to where it is worst."""
    objective, radius = _ball(), 0.3
    margins, evidence, share, length = _world()
    losses = objective.pair_losses(margins.requires_grad_(), evidence)
    (slopes,) = torch.autograd.grad(losses.sum(), margins)
    move = radius * slopes / (share * slopes.square()).sum().sqrt()
    assert float((share * move.square()).sum().sqrt()) == pytest.approx(radius)
    moved = objective.pair_losses(margins.detach() + move * length, evidence)
    first, exact = _first_order(objective, radius), _exact(objective, radius, 1.0)
    assert first < float((share * moved).sum()) <= exact + 1e-9


@pytest.mark.parametrize("labels", ["observed", {"kind": "slack", "penalty": 0.6}])
@pytest.mark.parametrize("loss", ["logistic", "probit", "squared"])
def test_gradient(loss, labels):
    objective = _ball(0.7, loss=loss, labels=labels)
    margins, evidence, share, _ = _world()

    def penalty(margins, steepness):
        squares = objective.squared_gradients(margins, evidence, steepness)
        return objective.wasserstein(squares, share)

    steepness = torch.rand(N, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(penalty, (margins.requires_grad_(), steepness))


def test_a_step_in_parts_has_the_gradient_of_the_whole():
    objective = _ball(0.7)
    margins, evidence, share, _ = _world()
    steepness = torch.rand(N, dtype=torch.float64)
    margins.requires_grad_()
    squares = objective.squared_gradients(margins, evidence, steepness)
    (whole,) = torch.autograd.grad(objective.wasserstein(squares, share), margins)
    rate = objective.wasserstein.rate(squares.detach(), share)
    for rows in torch.arange(N).split(7):
        part = margins.detach()[rows].requires_grad_()
        own = objective.squared_gradients(part, evidence[rows], steepness[rows])
        (found,) = torch.autograd.grad((rate * share[rows] * own).sum(), part)
        torch.testing.assert_close(found, whole[rows])


def test_exchanging_the_responses_changes_nothing():
    objective = _ball()
    margins, evidence, _, _ = _world()
    one = torch.tensor(1.0)
    torch.testing.assert_close(
        objective.squared_gradients(margins, evidence, one),
        objective.squared_gradients(-margins, evidence.swapped(), one),
    )


def test_heads_are_independent():
    objective = _ball()
    _, evidence, share, _ = _world()
    margins, steepness = torch.randn(N, 3, dtype=torch.float64), torch.tensor([0.0, 1.0, 4.0])
    share = share[:, None].expand(N, 3)
    together = objective.squared_gradients(margins, evidence.as_columns(), steepness)
    found = objective.wasserstein(together, share)
    for k in range(3):
        apart = objective.squared_gradients(margins[:, k], evidence, steepness[k])
        torch.testing.assert_close(objective.wasserstein(apart, share[:, k]), found[k])
    assert found[0] == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_finite_at_extreme_margins(loss, dtype):
    objective = _ball(loss=loss)
    margins = torch.tensor([-1e4, -88.0, 0.0, 88.0, 1e4], dtype=dtype, requires_grad=True)
    evidence = Evidence(torch.tensor([1.0, 0.0, 0.5, 1.0, 0.0], dtype=dtype))
    squares = objective.squared_gradients(margins, evidence, torch.ones(5, dtype=dtype))
    value = objective.wasserstein(squares, torch.full((5,), 0.2, dtype=dtype))
    (gradient,) = torch.autograd.grad(value, margins)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_where_no_loss_changes_the_penalty_is_nothing():
    squares = torch.zeros(N, dtype=torch.float64, requires_grad=True)
    share = torch.full((N,), 1 / N, dtype=torch.float64)
    ball = Wasserstein(radius=2.0)
    value = ball(squares, share)
    assert value == 0
    assert (torch.autograd.grad(value, squares)[0] == 0).all()
    assert ball.rate(squares, share) == 0


@pytest.mark.parametrize("facts", [Facts(frozen=True, linear=True), Facts(scores="rewards")])
def test_scorers_that_it_is_for(facts):
    assert enforce(_ball(), facts) == ()


def test_it_is_named_and_not_convex():
    assert _ball(0.5).describe().endswith("+ wasserstein(radius=0.5)")
    assert not _ball().convex
    assert Objective().convex
