"""The adversary over groups of prompts, and what prompts have gained."""

from __future__ import annotations

import math

import pytest
import torch

from surefoot.errors import ConfigurationError
from surefoot.objectives import Risk
from surefoot.online.adversary import Adversary
from surefoot.online.progress import Progress

CVAR = {"kind": "cvar", "level": 0.5, "unit": "group"}
MASS = torch.tensor([0.5, 0.3, 0.2])


def adversary(risk=None, rate=1.0, mass=MASS, **options):
    kind = Risk.parse(risk or CVAR)
    names = tuple("abc"[: len(mass)])
    return Adversary(kind, names, mass, rate, **options)


def test_the_worst_groups_count_and_the_mean_weight_is_one():
    one = adversary()
    one.update(torch.tensor([0, 1, 2]), torch.tensor([1.0, -1.0, 0.0]))
    # CVaR at a half: all of b (.3) and .2 of the next worst, c, each twice.
    torch.testing.assert_close(one.multipliers, torch.tensor([0.0, 2.0, 2.0]).double())
    assert float((one.mass * one.multipliers).sum()) == pytest.approx(1.0)


def test_before_anything_was_seen_no_group_is_worse():
    penalised = adversary({"kind": "kl-penalised", "temperature": 0.5, "unit": "group"})
    torch.testing.assert_close(penalised.multipliers, torch.ones(3).double())


def test_trust_grows_with_what_was_seen():
    """A risk that only sees the order would follow the first prompts all the way."""
    one, gains = adversary(rate=0.25), torch.tensor([1.0, -1.0, 0.0])
    assert one.multipliers.tolist() == [1.0, 1.0, 1.0]
    whole = torch.tensor([0.0, 2.0, 2.0]).double()
    for k in range(1, 6):
        one.update(torch.arange(3), gains)
        assert one.trust == min(1.0, 0.25 * k)
        torch.testing.assert_close(one.multipliers, 1 + one.trust * (whole - 1))
    assert float((one.mass * one.multipliers).sum()) == pytest.approx(1.0)


def test_kl_penalised_weights_are_exponential():
    one = adversary({"kind": "kl-penalised", "temperature": 0.5, "unit": "group"})
    gains = torch.tensor([0.4, 0.0, -0.3]).double()
    one.update(torch.arange(3), gains)
    expected = (-gains / 0.5).exp()
    torch.testing.assert_close(one.multipliers, expected / (one.mass * expected).sum())


@pytest.mark.parametrize("neutral", [{"kind": "mean"}, {"kind": "mean", "unit": "group"}])
def test_the_mean_weighs_nothing_exactly(neutral):
    one = adversary(neutral, mass=torch.tensor([1 / 3, 1 / 7, 11 / 21]))
    one.update(torch.arange(3), torch.tensor([5.0, -3.0, 1.0]))
    assert one.neutral
    assert one.multipliers.tolist() == [1.0, 1.0, 1.0]


def test_equal_mass_balances_groups():
    one = adversary({"kind": "mean", "unit": "group", "unit_mass": "equal"})
    assert not one.neutral
    torch.testing.assert_close(one.multipliers, (1 / 3) / MASS.double())


def test_a_running_value_is_an_average_of_prompts():
    one = adversary(rate=0.25)
    one.update(torch.tensor([0, 0, 1]), torch.tensor([1.0, 3.0, 8.0]))
    typical = (0.5 * 2.0 + 0.3 * 8.0) / 0.8  # of a group that was not seen
    assert one.gains.tolist() == pytest.approx([2.0, 8.0, typical])
    assert one.seen.tolist() == [2.0, 1.0, 0.0]
    for _ in range(60):
        one.update(torch.tensor([0]), torch.tensor([2.0]))
    assert float(one.gains[0]) == pytest.approx(2.0, abs=1e-6)
    assert float(one.gains[1]) == pytest.approx(8.0)  # a group that is absent keeps its value


def test_groups_that_gain_alike_weigh_alike_however_often_they_are_seen():
    one = adversary({"kind": "kl-penalised", "temperature": 0.5, "unit": "group"}, rate=0.05)
    torch.manual_seed(0)
    for _ in range(60):
        one.update(torch.multinomial(MASS, 8, replacement=True), torch.full((8,), 2.0))
        torch.testing.assert_close(one.multipliers, torch.ones(3).double())
    assert one.trust == 1.0


def test_a_group_that_was_never_seen_is_not_trusted_to_be_the_worst():
    one = adversary({"kind": "kl-penalised", "temperature": 0.5, "unit": "group"}, rate=0.5)
    for _ in range(50):
        one.update(torch.tensor([0, 1]), torch.tensor([1.0, 3.0]))
    assert one.trust == 0.0
    assert one.multipliers.tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_running_values_are_less_noisy_than_a_step():
    """Two groups that gain alike: the weights of a step follow noise, running ones hardly."""
    torch.manual_seed(0)
    spreads = []
    for rate in (1.0, 0.02):
        one = adversary(
            {"kind": "kl-penalised", "temperature": 0.5, "unit": "group"},
            rate,
            torch.tensor([0.5, 0.5]),
        )
        seen = []
        for _ in range(400):
            one.update(torch.randint(0, 2, (8,)), torch.randn(8))
            seen.append(float(one.multipliers[0]))
        spreads.append(torch.tensor(seen[100:]).std())
    assert spreads[1] < 0.35 * spreads[0]


def test_a_baseline_takes_constants_of_prompts_away():
    """Two reward models that differ by a constant for each prompt lead to the same weights."""
    groups = torch.tensor([0, 0, 1, 1, 2, 2])
    rewards = torch.tensor([1.0, 2.0, 0.5, 1.5, -1.0, 0.0]).double()
    constants = torch.tensor([3.0, -2.0, 9.0, 9.0, -5.0, 4.0]).double()
    rows = torch.arange(6).repeat_interleave(2)
    noise = torch.randn(12).double()
    found = []
    for shift in (torch.zeros(6).double(), constants):
        one = adversary({"kind": "kl-penalised", "unit": "group"}, mass=torch.ones(3))
        progress = Progress(one, groups, 0.1, rewards + shift)
        kl = torch.full((12,), 0.2).double()
        progress.take_in(rows, (rewards + shift)[rows] + noise, kl, torch.full((12,), math.nan))
        found.append(one.multipliers)
        mean = noise.view(6, 2).mean(1)[groups == 0].mean() - 0.1 * 0.2
        assert float(one.gains[0]) == pytest.approx(float(mean))
    torch.testing.assert_close(*found)
    assert float(found[0].std()) > 0.01


@pytest.mark.parametrize(
    ("risk", "mass", "words"),
    [
        (CVAR, torch.ones(1), r"all prompts are in one group \('a'\): risk 'cvar' has nothing"),
        ({"kind": "soft-minimum", "unit": "group"}, MASS, "it is for noisy labels"),
    ],
)
def test_refused(risk, mass, words):
    with pytest.raises(ConfigurationError, match=words):
        adversary(risk, mass=mass)


def test_a_group_risk_begins_with_its_prompts():
    one = adversary({"kind": "group", "unit": "group"}, mass=torch.tensor([70, 20, 10]))
    assert one.state["pairs"].tolist() == [70.0, 20.0, 10.0]
    assert one.mass.tolist() == pytest.approx([0.7, 0.2, 0.1])
    torch.testing.assert_close(one.multipliers, (1 / 3) / one.mass)


def test_one_group_under_the_mean_is_the_mean():
    assert adversary({"kind": "mean"}, mass=torch.ones(1)).multipliers.tolist() == [1.0]


def test_a_drop_is_measured_from_the_best():
    one = adversary({"kind": "mean"}, mass=torch.ones(1))
    progress = Progress(one, torch.zeros(4, dtype=torch.long), 0.1, torch.zeros(4), torch.zeros(4),
                        stop_drop=0.5)  # fmt: skip
    rows, nothing = torch.arange(4), torch.zeros(4)
    for value in [1.0] * 20 + [0.0] * 6:
        progress.take_in(rows, nothing, nothing, torch.full((4,), value))
    assert progress.best_watched == pytest.approx(1.0)
    assert not progress.stopped
    progress.take_in(rows, nothing, nothing, torch.full((4,), 0.0))
    assert progress.watched == pytest.approx(0.9**7)
    assert progress.history[-1]["watched_gain"] == 0.0
    assert progress.history[-1]["trained_gain"] == 0.0
    assert progress.stopped.startswith("stopped after step 27: the watched reward has fallen")


@pytest.mark.parametrize("kind", sorted(Risk.registry))
def test_every_risk_against_shift_gives_weights(kind):
    if Risk.registry[kind].properties.direction == "against noise":
        pytest.skip("refused, see above")
    one = adversary({"kind": kind, "unit": "group"})
    before = one.weights
    for _ in range(3):
        one.update(torch.tensor([0, 1, 2]), torch.tensor([0.5, -1.0, 0.3]))
    assert bool((one.weights >= 0).all())
    assert float((one.mass * one.multipliers).sum()) == pytest.approx(1.0)
    gained = one.weights / before
    assert bool((gained[1] >= gained).all())
    assert (float(gained[1]) > 1.01) == (kind != "mean")
