"""From findings to one configuration: what goes together, and what is worth it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from surefoot.auditing.configuration import configurations, next_commands
from surefoot.auditing.diagnosis import Diagnosis
from surefoot.auditing.diagnostic import Diagnostic, Measurement
from surefoot.auditing.remedy import Trial, joined, remedies_of, remedy_of
from surefoot.auditing.trial import OutOfFold, Trials, compared
from surefoot.statistics.estimate import Estimate
from surefoot.training import RunConfig
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import clean

AWARE = {"scorer": {"source_aware": True}}
SMOOTHED = {"objective": {"labels": {"kind": "smoothed", "flip_rate": 0.1}}}
BALL = {"objective": {"risk": {"kind": "chi-squared", "radius": 0.05, "unit": "group"}}}
OTHER_BALL = {"objective": {"risk": {"kind": "chi-squared", "radius": 0.05, "unit": "source"}}}


def diagnosis(name, options, verdict="found"):
    one = Diagnostic(name, "noise", "?", "of it", 0.0, 1.0, "none", lambda material: iter(()))
    size = Estimate(0.2, 0.1, 0.3, 100, "rows")
    return Diagnosis(one, Measurement(size, None, f"{name}.", remedy=options), verdict)


def gains(**by_kind):
    """A trial in which each option gains so much over a base that lacks it."""

    def trial(base, options, tries):
        new = [key for section in options.values() for key in section]
        old = [key for section in base.values() for key in section]
        value = sum(by_kind[key] for key in new if key not in old)
        gain = Estimate(value, value - 0.01, value + 0.01, 100, "prompts")
        return Trial(gain, gain, "" if value > 0 else "it gains nothing")

    return trial


def test_what_is_found_or_assumed_has_a_remedy_and_equal_ones_are_one():
    found = [
        diagnosis("conflict", AWARE),
        diagnosis("opposed", AWARE),
        diagnosis("worst", BALL, "cannot tell"),
        diagnosis("flips", SMOOTHED, "assumed"),
        diagnosis("shortcuts", {}),
        diagnosis("drift", OTHER_BALL, "not found"),
    ]
    assert [one.name for one in remedies_of(found)] == ["conflict, opposed", "flips"]


def test_what_sets_one_option_to_two_values_does_not_go_together():
    assert joined(AWARE, SMOOTHED) == {**AWARE, **SMOOTHED}
    assert joined(SMOOTHED, BALL) == {"objective": {**SMOOTHED["objective"], **BALL["objective"]}}
    assert joined(BALL, OTHER_BALL) is None
    assert joined(BALL, BALL) == BALL


def test_remedies_that_gain_are_joined_and_others_left():
    found = [diagnosis("flips", SMOOTHED), diagnosis("conflict", AWARE), diagnosis("worst", BALL)]
    choice = remedy_of(found, gains(labels=0.01, source_aware=0.1, risk=-0.02))
    assert choice.options == {**AWARE, **SMOOTHED}
    assert [one.remedy.name for one in choice.taken] == ["conflict", "flips"]
    (left,) = choice.left
    assert "not taken, as it gains nothing" in left.sentence


def test_of_two_risks_the_one_that_gains_more_is_taken():
    found = [diagnosis("worst group", BALL), diagnosis("worst source", OTHER_BALL)]

    def trial(base, options, tries):
        value = 0.05 if options == OTHER_BALL else 0.02
        gain = Estimate(value, 0.01, 0.1, 100, "prompts")
        return Trial(gain, gain)

    choice = remedy_of(found, trial)
    assert choice.options == OTHER_BALL
    assert "sets an option" in choice.left[0].sentence


def test_nothing_found_is_said_gladly_and_what_cannot_be_tried_is_not_taken():
    assert remedy_of([], gains()).sentence.startswith("Train plainly: nothing was found")
    choice = remedy_of([diagnosis("conflict", AWARE)], "that takes embeddings")
    assert not choice.options
    assert "not tried (that takes embeddings)" in choice.sentence
    assert choice.left[0].remedy.options == AWARE


@pytest.fixture(scope="module")
def conflict():
    return faults()["two sources in conflict"].plant(1000, np.random.default_rng(0), 1.0)


def test_trials_take_what_helps_and_leave_what_does_not(conflict):
    trials = Trials(conflict)
    helps = trials({}, AWARE)
    assert not helps.against
    assert helps.gain.low > 0.05
    assert trials({}, OTHER_BALL).against
    assert trials(AWARE, AWARE).against  # there is nothing more in it


def test_what_is_refused_is_left_with_its_reason(conflict):
    assert "group" in Trials(conflict)({}, BALL).against
    unknown = Trials(conflict)({}, {"objective": {"labels": {"kind": "smoother"}}})
    assert "smoother" in unknown.against


@pytest.mark.slow
def test_a_group_of_coins_is_no_reason_for_a_risk():
    fault = faults()["a group of coins"]
    taken = [
        not Trials(fault.plant(600, np.random.default_rng(seed), 1.0))({}, BALL).against
        for seed in range(5)
    ]
    assert sum(taken) <= 1


def test_a_group_with_a_mind_of_its_own_is_one():
    world = faults()["a group with a mind of its own"].plant(2000, np.random.default_rng(1), 0.8)
    found = Trials(world)({}, BALL)
    assert not found.against
    assert found.gain.estimate > -found.overall.estimate


def test_a_part_is_not_paid_for_by_all():
    world = clean("unbalanced groups", 1000, np.random.default_rng(0))
    units = (np.arange(1000) % 10 == 0).astype(np.int64)
    old = OutOfFold(np.where(units, 0.0, 1.0), np.where(units, 1.0, 0.2))
    half = units * (np.arange(1000) % 20 == 0)
    new = OutOfFold(np.where(half, 1.0, old.right), old.loss - 0.5 * half, units)
    assert not compared(new, old, world).against
    paid = np.where(units, new.right, 0.0)
    assert "pay more" in compared(replace(new, right=paid), old, world).against


def test_what_is_one_of_many_takes_more_to_be_taken():
    world = clean("skewed lengths", 1000, np.random.default_rng(0))
    odd = np.where(np.arange(1000) % 2, 1.0, -1.0)
    old = OutOfFold(np.full(1000, 0.5), np.ones(1000))
    new = OutOfFold(old.right, old.loss - odd - 1.3 / 1000**0.5)  # 1.3 standard errors better
    assert not compared(new, old, world, tries=1).against
    assert "become no better" in compared(new, old, world, tries=2).against
    better = OutOfFold(old.right, old.loss - odd - 1.6 / 1000**0.5)
    assert not compared(better, old, world, tries=2).against
    assert compared(better, old, world, tries=4).against


def test_remedies_are_tried_as_one_of_all_that_are_offered():
    counts = []

    def trial(base, options, tries):
        counts.append(tries)
        gain = Estimate(0.1, 0.05, 0.15, 100, "prompts")
        return Trial(gain, gain)

    found = [diagnosis("conflict", AWARE), diagnosis("flips", SMOOTHED, "assumed")]
    assert remedy_of(found, trial).options == {**AWARE, **SMOOTHED}
    assert counts == [2, 2, 2]


def test_the_worst_unit_is_so_by_the_weights_of_its_rows():
    world = clean("skewed lengths", 400, np.random.default_rng(0))
    units, odd = np.arange(400) // 200, np.arange(400) % 2 == 1
    loss = np.where(units == 0, np.where(odd, 2.0, 0.1), 0.9)  # 1.05 on average, .29 by weights
    old = OutOfFold(np.full(400, 0.5), loss, units)
    new = OutOfFold(np.where(units == 1, 1.0, 0.5), loss - 0.1 * (units == 1), units)
    weighed = replace(world, weights=np.where(odd & (units == 0), 0.1, 1.0))
    assert compared(new, old, weighed).gain.estimate == pytest.approx(0.5)
    assert compared(new, old, world).gain.estimate == pytest.approx(0.0)


def test_a_half_life_takes_a_time_on_every_row():
    world = clean("skewed lengths", 300, np.random.default_rng(0))
    some = replace(world, time=np.where(np.arange(300) < 30, np.nan, world.time))
    assert "some rows have no time" in Trials(some)({}, {"data": {"half_life": 9.0}}).against


def test_configurations_train_as_they_are(tmp_path):
    choice = remedy_of(
        [diagnosis("conflict", AWARE), diagnosis("flips\noutput: /x", SMOOTHED)],
        gains(labels=-0.1, source_aware=0.1),
    )
    steps = next_commands(choice, tmp_path, held_out=True)
    assert len(steps) == 3
    texts = configurations(choice, "pairs.jsonl", steps)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    remedy, plain = (RunConfig.read(tmp_path / name) for name in texts)
    assert remedy.scorer.source_aware
    assert plain == RunConfig(**yaml.safe_load(texts["plain.yaml"]))
    assert plain.scorer == replace_aware(remedy.scorer)
    assert plain.objective == remedy.objective
    assert "Offered for flips" in texts["remedy.yaml"]


def test_options_of_data_stand_beside_the_rows_to_train_on(tmp_path):
    choice = remedy_of([diagnosis("discount", {"data": {"half_life": 30.0}})], gains(half_life=0.1))
    (tmp_path / "remedy.yaml").write_text(configurations(choice, "pairs", [])["remedy.yaml"])
    config = RunConfig.read(tmp_path / "remedy.yaml")
    assert config.data.half_life == 30.0
    assert [Path(one).name for one in config.data.train] == ["clean.jsonl"]


def replace_aware(scorer):
    return scorer.model_copy(update={"source_aware": False})
