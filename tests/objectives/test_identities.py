"""Identities of the papers: what each method is known to do, apart from its formula."""

from __future__ import annotations

import math

import pytest
import torch

from surefoot.objectives import Evidence, Objective
from surefoot.objectives.risks.cvar import CVaR

GRID = torch.linspace(-8, 8, 161, dtype=torch.float64)


def _evidence(y: float, n: int = len(GRID)) -> Evidence:
    return Evidence(torch.full((n,), y, dtype=torch.float64))


def _best_margin(objective: Objective, y: float) -> float:
    """The margin of least loss for a label, searched from 0."""
    m = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [m], max_iter=200, tolerance_grad=1e-12, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        loss = objective.pair_losses(m, _evidence(y, 1)).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return m.item()


@pytest.mark.parametrize("loss", ["logistic", "squared", "ramp", "hinge"])
@pytest.mark.parametrize("e", [0.05, 0.2, 0.45])
def test_flip_corrected_is_unbiased_over_flips(loss, e):
    """(1 - e) L(z) + e L(-z) is the clean loss: 2403.00409, equation of the unbiased estimate."""
    corrected = Objective(loss=loss, labels={"kind": "flip-corrected", "flip_rate": e})
    plain = Objective(loss=loss)
    kept = corrected.pair_losses(GRID, _evidence(1.0))
    flipped = corrected.pair_losses(GRID, _evidence(0.0))
    torch.testing.assert_close(
        (1 - e) * kept + e * flipped, plain.pair_losses(GRID, _evidence(1.0))
    )


@pytest.mark.parametrize("e", [0.1, 0.3])
def test_smoothed_logistic_has_its_optimum_at_the_logit(e):
    objective = Objective(labels={"kind": "smoothed", "flip_rate": e})
    assert _best_margin(objective, 1.0) == pytest.approx(math.log((1 - e) / e), abs=1e-6)


@pytest.mark.parametrize("tau", [0.1, 0.5])
@pytest.mark.parametrize("p", [0.3, 0.9])
def test_ipo_optimum(tau, p):
    objective = Objective(loss={"kind": "squared", "tau": tau})
    assert _best_margin(objective, p) == pytest.approx((2 * p - 1) / (2 * tau), abs=1e-6)


@pytest.mark.parametrize("penalty", [0.2, 0.6])
def test_slack_caps_the_logistic_gradient(penalty):
    """R3M's gradient is -min(sigma(-m), penalty): a Huberised logistic loss."""
    objective = Objective(labels={"kind": "slack", "penalty": penalty})
    m = GRID.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective.pair_losses(m, _evidence(1.0)).sum(), m)
    torch.testing.assert_close(gradient, -torch.sigmoid(-GRID).clamp_max(penalty))


@pytest.mark.parametrize("q", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("radius", [0.05, 0.5, 20.0])
def test_preference_ball_adds_a_multiple_of_the_margin(q, radius):
    """DPO-PRO: soft-label loss + d |m|, d = min(room on the worse side, sqrt(radius q (1-q)))."""
    ball = Objective(labels={"kind": "preference-ball", "radius": radius})
    room = torch.where(GRID < 0, 1 - q, q)
    d = room.clamp_max(math.sqrt(radius * q * (1 - q)))
    expected = Objective().pair_losses(GRID, _evidence(q)) + d * GRID.abs()
    torch.testing.assert_close(ball.pair_losses(GRID, _evidence(q)), expected)


def test_soft_minimum_and_kl_are_mirror_images():
    """Dr. DPO trusts easy pairs, KLDPO hard ones: each is the other on negated losses."""
    losses = torch.randn(20, dtype=torch.float64)
    soft = Objective(risk={"kind": "soft-minimum", "temperature": 0.7}).risk(losses)
    hard = Objective(risk={"kind": "kl-penalised", "temperature": 0.7}).risk(-losses)
    torch.testing.assert_close(soft.value, -hard.value)
    torch.testing.assert_close(soft.weights, hard.weights)


def test_cvar_agrees_with_its_dual():
    """Inf over eta of eta + E (loss - eta)+ / level (Rockafellar and Uryasev, 2000)."""
    losses = torch.randn(50, dtype=torch.float64)
    for level in (0.07, 0.2, 0.5):
        etas = losses  # the infimum is attained at one of the losses
        dual = etas + (losses[None] - etas[:, None]).relu().mean(1) / level
        torch.testing.assert_close(CVaR(level=level)(losses).value, dual.min())


def test_cvar_falls_as_its_level_grows():
    losses = torch.randn(30, dtype=torch.float64)
    values = [CVaR(level=a)(losses).value.item() for a in (0.05, 0.1, 0.3, 0.7, 1.0)]
    assert values == sorted(values, reverse=True)


def test_squared_length_normalised_divides_each_score():
    objective = Objective(loss={"kind": "squared", "length_normalised": True})
    scores = torch.tensor([[6.0, 2.0], [1.0, 8.0]])
    lengths = torch.tensor([[3, 1], [1, 4]])
    margins = objective.loss.margins(scores, lengths)
    torch.testing.assert_close(margins, torch.tensor([0.0, -1.0]))
    with pytest.raises(ValueError, match="lengths"):
        objective.loss.margins(scores)
    with pytest.raises(ValueError, match="at least 1"):
        objective.loss.margins(scores, torch.zeros(2, 2))


def test_label_noise_conflict():
    """Methods reference, sections 3.2 and 9: which pairs gain weight when 10 % are flipped."""
    generator = torch.Generator().manual_seed(0)
    n = 40_000
    margins = torch.randn(n, generator=generator, dtype=torch.float64) + 1.5
    flipped = torch.rand(n, generator=generator) < 0.1
    evidence = Evidence((~flipped).double())

    def mass_on_flipped(risk):
        return Objective(risk=risk)(margins, evidence).weights[flipped].sum().item()

    assert mass_on_flipped("mean") == pytest.approx(0.10, abs=0.01)
    assert mass_on_flipped({"kind": "cvar", "level": 0.3}) == pytest.approx(0.34, abs=0.02)
    assert mass_on_flipped({"kind": "kl-penalised", "temperature": 1.0}) > 0.35
    assert mass_on_flipped({"kind": "soft-minimum", "temperature": 1.0}) < 0.04
