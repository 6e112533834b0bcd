"""Running dual variables: right at their best, unbiased at any value, and on the way there."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import minimize

from surefoot.objectives import Risk, Units
from surefoot.objectives.duals import SMALLEST_SCALE, STEEPEST

SETTINGS = {"cvar": {"level": 0.2}, "chi-squared": {"radius": 0.3}, "kl": {"radius": 0.2}}
KINDS = sorted(SETTINGS)


def of(kind: str, estimate: str = "dual", **options) -> Risk:
    return Risk.parse({"kind": kind, "estimate": estimate, **SETTINGS[kind], **options})


def exponential(n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return -torch.rand(n, dtype=torch.float64, generator=generator).log()


def numbers(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


@pytest.mark.parametrize("kind", KINDS)
def test_the_minimum_of_the_dual_is_the_risk(kind):
    losses = exponential(60)
    mass = exponential(60, seed=1)
    mass = mass / mass.sum()

    def at(x):
        step = of(kind).dual(losses, mass, *numbers(x[0], x[1]))
        return float(step.value), [float(step.by_eta), float(step.by_scale) * (kind != "cvar")]

    best = minimize(at, [1.0, 1.0], jac=True, bounds=[(None, None), (1e-3, None)], tol=1e-12)
    exact = of(kind, "step")(losses, mass)
    assert best.fun == pytest.approx(float(exact.value), rel=1e-3 if kind == "cvar" else 1e-7)
    assert best.fun >= float(exact.value) - 1e-9
    if kind != "cvar":  # at a kink the weights of the dual are one of many
        step = of(kind).dual(losses, mass, *numbers(*best.x))
        torch.testing.assert_close(step.weights, exact.weights, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives(kind):
    losses = exponential(20).requires_grad_()
    mass = torch.full((20,), 0.05, dtype=torch.float64)
    at = [x.requires_grad_() for x in numbers(0.8, 0.6)]
    step = of(kind).dual(losses, mass, *at)
    found = torch.autograd.grad(step.value, [losses, *at], allow_unused=True)
    told = (step.weights, step.by_eta, step.by_scale)
    for theirs, own in list(zip(found, told, strict=True))[: 2 if kind == "cvar" else 3]:
        torch.testing.assert_close(theirs, own)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_unbiased_at_any_dual_variables(kind):
    """The mean over the steps of an epoch is the figure of all the data, to rounding."""
    losses, at = exponential(96), numbers(0.4, 1.7)
    whole = of(kind).dual(losses, torch.full((96,), 1 / 96, dtype=torch.float64), *at)
    eighth = torch.full((8,), 1 / 8, dtype=torch.float64)
    steps = [of(kind).dual(part, eighth, *at) for part in losses.split(8)]
    for name in ("value", "by_eta", "by_scale"):
        mean = torch.stack([getattr(step, name) for step in steps]).mean()
        torch.testing.assert_close(mean, getattr(whole, name))
    torch.testing.assert_close(torch.cat([step.weights for step in steps]) / 12, whole.weights)


@pytest.mark.parametrize("kind", KINDS)
def test_small_steps_find_the_risk_of_all_the_data(kind):
    losses = exponential(4000)
    exact = float(of(kind, "step")(losses).value)
    state, values, biased = {}, [], []
    generator = torch.Generator().manual_seed(1)
    for _ in range(3000):
        part = losses[torch.randint(0, 4000, (8,), generator=generator)]
        found = of(kind)(part, state=state)
        state = found.state
        values.append(float(found.value))
        biased.append(float(of(kind, "step")(part).value))
    mean = sum(values[1500:]) / 1500
    assert sum(biased) / 3000 < 0.95 * exact
    assert mean == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_step_returns(kind):
    losses = exponential(30).requires_grad_()
    units = Units(torch.arange(30) % 10, 10)
    first = of(kind, unit="prompt")(losses, units=units)
    assert first.weights.sum().item() == pytest.approx(1, abs=0.5 + 1e-9)
    (gradient,) = torch.autograd.grad(first.value, losses)
    torch.testing.assert_close(gradient, first.weights)
    assert set(first.state) == {"eta", "scale", "steps"}
    second = of(kind, unit="prompt")(losses, units=units, state=first.state)
    moved = [abs(float(second.state[n] - first.state[n])) for n in ("eta", "scale")]
    assert 0 < max(moved) <= 0.5 * STEEPEST
    assert 0 < float(first.effective_units) <= 10


@pytest.mark.parametrize("kind", KINDS)
def test_columns_have_their_own_dual_variables(kind):
    losses = exponential(60).view(20, 3)
    together = of(kind)(losses)
    for k in range(3):
        apart = of(kind)(losses[:, k])
        torch.testing.assert_close(together.value[k], apart.value)
        for name, value in apart.state.items():
            torch.testing.assert_close(together.state[name][k], value)


def test_lambda_has_a_floor_and_nothing_overflows():
    equal = torch.full((8,), 0.7, dtype=torch.float64)
    for kind in ("chi-squared", "kl"):
        state = {}
        for _ in range(300):
            found = of(kind, dual_rate=1.0)(equal, state=state)
            state = found.state
        assert float(state["scale"]) >= SMALLEST_SCALE
        huge = of(kind)(equal * 1e6, state=state)
        assert huge.value.isfinite()
        assert huge.weights.isfinite().all()


def test_where_all_data_are_seen_at_once():
    assert of("kl").of_all() == of("kl", "step")
    assert of("kl").stateful
    assert not of("kl", "step").stateful
