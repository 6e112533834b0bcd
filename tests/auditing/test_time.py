"""What became of labels in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import Lacking, diagnostics
from surefoot.training import RunConfig
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import clean, voted


def measured(name, world):
    (one,) = diagnostics()[name].measure(world)
    return one


def turned(early: float, late: float, pairs: int = 4000, seed: int = 1):
    """Sure labels, turned round so often before and after the middle of the time."""
    rng = np.random.default_rng(seed)
    world = clean("unbalanced groups", pairs, rng)
    world = replace(world, margins_true=4 * world.margins_true)
    later = world.time > np.median(world.time)
    return voted(world, 1, rng, lambda pair, who: np.where(later[pair], late, early))


@pytest.mark.parametrize("base", [0.0, 0.15])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_how_many_more_are_turned_round(base, share):
    """On top of what is turned round in both halves."""
    late = base + (1 - 2 * base) * share
    found = measured("drift", turned(base, late))
    assert abs(found.size.estimate - share / (1 - share)) < 2.5 * found.test.error
    assert found.test.error < 0.035


def test_labels_that_get_better_have_the_other_sign():
    one, other = (measured("drift", turned(*rates)).size.estimate for rates in ((0, 0.2), (0.2, 0)))
    assert one == pytest.approx(-other, abs=0.05)
    assert one > 0.15


def test_the_change_is_dated():
    rng = np.random.default_rng(3)
    world = clean("unbalanced groups", 4000, rng)
    world = replace(world, margins_true=4 * world.margins_true, time=1.7e9 + 8e6 * world.time)
    late = world.time > 1.7e9 + 6e6
    world = voted(world, 1, rng, lambda pair, who: np.where(late[pair], 0.4, 0.0))
    found = measured("drift", world)
    assert found.details["change"] == pytest.approx(1.7e9 + 6e6, abs=2e5)
    assert "nearest to 2024-01-2" in found.advice


def test_the_change_is_dated_within_kinds():
    """At .3 come other kinds of prompts, of which labels are less sure; at .7 labels are turned."""
    rng = np.random.default_rng(3)
    world = clean("unbalanced groups", 4000, rng)
    sure = world.drawn.topics < 6
    other = rng.random(4000) < np.where(sure, 0.1, 0.9)
    time = np.where(other, 0.3 + 0.7 * world.time, 0.3 * world.time)
    world = replace(world, margins_true=np.where(sure, 5.0, 0.7) * world.margins_true, time=time)
    world = voted(world, 1, rng, lambda pair, who: np.where(time[pair] > 0.7, 0.2, 0.0))
    found = measured("drift", world)
    assert found.details["change"] == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_later_prompts_of_another_kind_are_no_drift(share):
    """Labels to half of the topics are four times as sure, and three in four of these come early.

    With all prompts taken together a tenth more of the labels would seem turned round.
    """
    rng = np.random.default_rng(2)
    world = clean("unbalanced groups", 4000, rng)
    sure = world.drawn.topics < 6
    later = rng.random(4000) < np.where(sure, 0.25, 0.75)
    margins = np.where(sure, 4.0, 1.0) * world.margins_true
    world = replace(world, time=(later + rng.random(4000)) / 2, margins_true=margins)
    world = voted(world, 1, rng, lambda pair, who: np.where(later[pair], share, 0.0))
    found = measured("drift", world)
    assert abs(found.size.estimate - share / (1 - share)) < 2.5 * found.test.error
    assert found.test.error < 0.03


def test_rows_without_a_weight_say_nothing():
    world = turned(0.0, 0.3)
    weights = np.where(world.time > np.median(world.time), 0.0, 1.0)
    half = measured("drift", replace(world, weights=weights))
    assert half.size.n == 2000
    assert abs(half.size.estimate) < 3 * half.test.error


def test_margins_that_are_all_0_tell_nothing():
    world = replace(turned(0.0, 0.0), vectors=np.ones((4000, 2, 8)))
    assert isinstance(measured("drift", world), Lacking)


TURNING = faults()["taste that turns"]


def test_the_half_life_that_pays_is_a_remedy_in_days():
    world = TURNING.plant(2000, np.random.default_rng(5), 2.0)
    found = measured("discount", replace(world, time=1.7e9 + 864_000 * world.time))
    assert found.size.estimate > 0.05
    config = RunConfig(data={"train": "x.jsonl", **found.remedy["data"]}, output="out")
    assert np.abs(np.array([5, 2.5, 1.25]) / config.data.half_life - 1).min() < 0.1
    gains = found.details["gain by half-life"]
    assert max(gains.values()) == pytest.approx(found.size.estimate)
    assert f"in {config.data.half_life:g} days" in found.seen


def test_rows_without_a_time_cannot_count_by_age():
    """Training refuses them."""
    world = TURNING.plant(2000, np.random.default_rng(5), 2.0)
    time = np.where(np.arange(2000) % 50, 1.7e9 + 864_000 * world.time, np.nan)
    found = measured("discount", replace(world, time=time))
    assert found.size.estimate > 0.05
    assert not found.remedy


def test_where_nothing_turns_a_half_life_costs():
    found = measured("discount", TURNING.plant(3000, np.random.default_rng(6), 0.0))
    gains = list(found.details["gain by half-life"].values())
    assert gains[-1] < 0
    assert gains[-1] < gains[0]
    assert found.test.p_value > 0.5


def test_a_prompt_is_never_learnt_before_it_is_tried():
    """Every response is new, and what a prompt's rows teach holds for that prompt alone."""
    rng = np.random.default_rng(7)
    world = clean("unbalanced groups", 2000, rng)
    prompts = rng.integers(0, 20, 2000)
    vectors = np.zeros((2000, 2, 20))
    vectors[np.arange(2000), 0, prompts] = 1.0
    labels = (prompts % 2).astype(float)
    found = measured("discount", replace(world, vectors=vectors, labels=labels, prompts=prompts))
    assert found.details["equal"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("time", [np.zeros(2000), np.full(2000, np.nan)])
def test_without_times_it_says_what_it_needs(time):
    (one,) = diagnostics()["discount"].measure(
        replace(TURNING.plant(2000, np.random.default_rng(8), 0.0), time=time)
    )
    assert "a column time" in one.reason
