"""Trimming, and regrets: what the adversary is not to see."""

from __future__ import annotations

import pytest
import torch

from surefoot.errors import DataError
from surefoot.objectives import Evidence, Objective, Risk, Units
from surefoot.objectives.risk import trimmed


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_largest_losses_go_and_the_boundary_loses_a_part():
    kept = trimmed(numbers(3, 1, 2, 0), numbers(0.1, 0.4, 0.3, 0.2), 0.25)
    torch.testing.assert_close(kept, numbers(0, 0.4, 0.15, 0.2))


def test_ties_lose_in_proportion():
    kept = trimmed(numbers(1, 1, 0, 1), numbers(0.2, 0.1, 0.4, 0.3), 0.3)
    torch.testing.assert_close(kept, numbers(0.1, 0.05, 0.4, 0.15))
    equal = trimmed(torch.zeros(5), torch.full((5,), 0.2), 0.1)
    torch.testing.assert_close(equal, torch.full((5,), 0.18))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_what_goes_as_a_whole_leaves_nothing_behind(dtype):
    """Not even rounding: a ball puts its mass on the largest loss that has any."""
    for count in range(3, 120):
        losses = torch.arange(count, dtype=dtype)
        for gone in range(1, (count + 1) // 2):
            kept = trimmed(losses, torch.full_like(losses, 1 / count), gone / count)
            assert int((kept > 0).sum()) == count - gone


def test_of_each_unit_alike_and_of_each_column_by_itself():
    generator = torch.Generator().manual_seed(0)
    losses = torch.rand(30, 3, dtype=torch.float64, generator=generator).round(decimals=1)
    mass = torch.rand(30, 3, dtype=torch.float64, generator=generator)
    units = torch.randint(0, 4, (30,), generator=generator)
    kept = trimmed(losses, mass, 0.3, Units(units, 4))
    for k in range(4):
        rows = units == k
        for j in range(3):
            torch.testing.assert_close(kept[rows, j], trimmed(losses[rows, j], mass[rows, j], 0.3))
            assert kept[rows, j].sum() == pytest.approx(0.7 * mass[rows, j].sum().item())


@pytest.mark.parametrize("kind", [k for k, cls in Risk.registry.items() if cls().unit == "pair"])
def test_a_risk_sees_what_is_left(kind):
    losses = torch.rand(20, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    left = losses.sort().values[:15]
    found = Risk.parse({"kind": kind, "trim": 0.25})(losses)
    torch.testing.assert_close(found.value, Risk.parse(kind)(left).value)
    assert (found.weights[losses > left.max()] == 0).all()
    assert found.weights.sum().item() == pytest.approx(1)


def test_groups_are_not_given_up_and_pairs_are():
    """Over groups each loses its share; over pairs the hard group goes first."""
    losses = torch.cat([torch.linspace(0, 1, 80), torch.linspace(2, 3, 20)]).double()
    units = Units(torch.tensor([0] * 80 + [1] * 20), 2)
    over_groups = Risk.parse({"kind": "mean", "trim": 0.2, "unit": "group"})(losses, units=units)
    assert over_groups.unit_mass.tolist() == pytest.approx([0.8, 0.2])
    over_pairs = Risk.parse({"kind": "mean", "trim": 0.2})(losses)
    assert over_pairs.weights[80:].sum() == 0


def test_the_gradient_is_that_of_the_weights():
    losses = torch.rand(12, dtype=torch.float64, requires_grad=True)
    units = Units(torch.arange(12) % 3, 3)
    risk = Risk.parse({"kind": "kl", "trim": 0.2, "unit": "group"})
    assert torch.autograd.gradcheck(lambda x: risk(x, units=units).value, losses, atol=1e-5)


def test_what_trimming_does_to_properties():
    plain, trims = Objective(risk="kl"), Objective(risk={"kind": "kl", "trim": 0.1})
    assert plain.convex
    assert not trims.convex
    assert Risk.parse({"kind": "mean", "trim": 0.1}).adaptive
    assert not Risk.parse("mean").adaptive
    assert "kl(trim=0.1, radius=0.1) over pairs" in trims.describe()
    assert plain.describe() == "kl(radius=0.1) over pairs of observed of logistic"


def test_regrets_leave_close_calls_alone():
    """Two pairs of equal loss: the one whose least loss is high is not a hard one."""
    margins = numbers(0.0, 0.0, 3.0).requires_grad_()
    evidence = Evidence(numbers(0.5, 1.0, 1.0), numbers(0.5, 0.99, 0.95))
    plain = Objective(risk={"kind": "kl", "radius": 0.2})(margins, evidence)
    regret = Objective(risk={"kind": "kl", "radius": 0.2, "regret": True})(margins, evidence)
    assert plain.weights[0] == pytest.approx(plain.weights[1].item())
    assert regret.weights[1] > 2 * regret.weights[0]
    least = (
        -(evidence.auxiliary * evidence.auxiliary.log())
        - (1 - evidence.auxiliary) * (1 - evidence.auxiliary).log()
    )
    losses = Objective().pair_losses(margins, evidence)
    torch.testing.assert_close(regret.value, (regret.weights * (losses - least)).sum())
    (gradient,) = torch.autograd.grad(regret.value, margins)
    (weighted,) = torch.autograd.grad((regret.weights * losses).sum(), margins, retain_graph=True)
    torch.testing.assert_close(gradient, weighted)  # what is learnt from is the loss itself


def test_regret_of_the_expected_loss_is_never_negative():
    generator = torch.Generator().manual_seed(2)
    auxiliary = torch.rand(200, dtype=torch.float64, generator=generator)
    margins = 3 * torch.randn(200, dtype=torch.float64, generator=generator)
    for loss in ("logistic", "probit", "hinge", "ramp", "squared"):
        objective = Objective(
            loss=loss, labels="conditional-expectation", risk={"kind": "tv", "regret": True}
        )
        losses = objective.pair_losses(margins, evidence := Evidence(auxiliary, auxiliary))
        assert (losses - objective.loss.irreducible(evidence.auxiliary)).min() >= -1e-12


def test_regret_without_an_auxiliary_probability():
    with pytest.raises(DataError, match="auxiliary"):
        Objective(risk={"kind": "kl", "regret": True})(numbers(1.0), Evidence(numbers(1.0)))
