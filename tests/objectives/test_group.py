"""Group DRO: exponentiated gradients that remember, and what they tend to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import RISKS, penalised

from surefoot.objectives import Risk, Units


def first_step(losses, mass, options):
    """From equal weights, whatever the mass."""
    equal = np.full(len(losses), 1 / len(losses))
    return penalised(losses, equal, 1 / options["step_size"], -1)


RISKS["group"] = ([{"step_size": 0.4}], first_step)


def group(**options) -> Risk:
    return Risk.parse({"kind": "group", **options})


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_three_steps_by_hand():
    risk = group(step_size=0.5)
    ids = torch.tensor([0, 0, 1, 2, 2, 2])
    units = Units(ids, 3)
    state, q = {}, numbers(1, 1, 1) / 3
    for seed in range(3):
        losses = torch.rand(6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        means = torch.stack([losses[ids == k].mean() for k in range(3)])
        q = q * (0.5 * means).exp()
        q = q / q.sum()
        found = risk(losses, units=units, state=state)
        torch.testing.assert_close(found.unit_weights, q)
        expected = q[ids] / numbers(2, 2, 1, 3, 3, 3)
        torch.testing.assert_close(found.weights, expected)
        state = found.state


def test_an_absent_group_keeps_its_weight():
    state = {"weights": numbers(0.5, 0.3, 0.2), "pairs": numbers(5, 3, 2)}
    units = Units(torch.tensor([0, 1, 1]), 3)
    found = group(step_size=1.0)(numbers(2.0, 0.0, 1.0), units=units, state=state)
    tilted = numbers(0.5, 0.3) * numbers(2.0, 0.5).exp()
    tilted = tilted / tilted.sum()
    torch.testing.assert_close(found.state["weights"], torch.cat([0.8 * tilted, numbers(0.2)]))
    torch.testing.assert_close(found.unit_weights, torch.cat([tilted, numbers(0.0)]))


def test_the_first_weights_are_equal_or_those_of_the_pairs():
    ids = Units(torch.tensor([0, 0, 0, 1]), 2)
    mass = torch.ones(4, dtype=torch.float64)
    assert group().start(mass, ids)["weights"].tolist() == [0.5, 0.5]
    assert group(unit_mass="pairs").start(mass, ids)["weights"].tolist() == [0.75, 0.25]
    assert group().start(mass, ids)["pairs"].tolist() == [3, 1]


def test_constant_losses_concentrate_on_the_worst_group():
    state, losses = {}, numbers(0.5, 0.7, 0.6)
    for _ in range(400):
        state = group(step_size=0.2)(losses, units=Units(torch.arange(3), 3), state=state).state
    assert state["weights"][1] > 0.99


def test_small_groups_count_as_worse():
    """Sagawa et al. (2020), section 5: C / sqrt(n) is added to what the adversary sees."""
    state = {"weights": numbers(0.5, 0.5), "pairs": numbers(100, 4)}
    found = group(step_size=1.0, size_adjustment=2.0)(numbers(0.3, 0.3), state=state)
    expected = (numbers(0.3, 0.3) + 2 / numbers(10, 2)).softmax(0)
    torch.testing.assert_close(found.weights, expected)
    losses = numbers(0.3, 0.3).requires_grad_()
    value = group(step_size=1.0, size_adjustment=2.0)(losses, state=state).value
    (gradient,) = torch.autograd.grad(value, losses)
    torch.testing.assert_close(gradient, expected)


def test_a_step_size_of_0_keeps_the_first_weights():
    state = {"weights": numbers(0.2, 0.8), "pairs": numbers(1, 1)}
    found = group(step_size=0)(numbers(3.0, 1.0), state=state)
    assert found.weights.tolist() == pytest.approx([0.2, 0.8])
    assert float(found.value) == pytest.approx(1.4)


def test_what_it_tends_to_is_the_ball_that_the_validator_names():
    """A convex problem: descent on the weighted sum ends where tv of radius 1 has its minimum."""
    centres = numbers(-1.0, 0.0, 2.0)
    x, state, path = torch.zeros((), dtype=torch.float64), {}, []
    for step in range(4000):
        x = x.detach().requires_grad_()
        found = group(step_size=0.05)((x - centres).square(), state=state)
        (gradient,) = torch.autograd.grad(found.value, x)
        state, x = found.state, x - 0.02 * gradient
        path += [x.item()] if step >= 1000 else []
    average = sum(path) / len(path)
    grid = torch.linspace(-2, 3, 5001, dtype=torch.float64)
    worst = Risk.parse({"kind": "tv", "radius": 1.0})((grid - centres[:, None]).square()).value
    assert average == pytest.approx(float(grid[worst.argmin()]), abs=0.01)
