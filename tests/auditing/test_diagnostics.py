"""Diagnostics: what each declares, that planted faults are found, and clean data are left alone."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from surefoot.auditing import Lacking, Measurement, diagnoses, diagnostics
from surefoot.auditing.parts import parts_of
from surefoot.objectives import Objective
from surefoot.report.pictures import drawn
from surefoot.scorers import EmbeddingScorer
from surefoot.training.config import DataOptions
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import KINDS, clean, voted

EVERY = list(diagnostics().values())
NAMES = [one.name for one in EVERY]
FAULTS = faults()
SECTIONS = {"objective": Objective, "scorer": EmbeddingScorer, "data": DataOptions}


def judged(world):
    measured = [
        (one, result)
        for one in EVERY
        for result in one.measure(world)
        if isinstance(result, Measurement)
    ]
    return diagnoses(measured)


@pytest.fixture(scope="module")
def worlds():
    return {kind: clean(kind, 600, np.random.default_rng(0)) for kind in KINDS}


@pytest.mark.parametrize("diagnostic", EVERY, ids=NAMES)
class TestWhatItDeclares:
    def test_in_words(self, diagnostic):
        assert diagnostic.question.endswith("?")
        assert diagnostic.unit
        assert diagnostic.null[-1:].isalnum()
        assert 0 <= diagnostic.matters < diagnostic.reference

    def test_it_measures_or_says_what_it_lacks(self, diagnostic, worlds):
        for world in worlds.values():
            results = list(diagnostic.measure(world))
            assert results
            for one in results:
                if isinstance(one, Lacking):
                    assert one.reason.startswith(f"{diagnostic.name}: ")
                    assert one.reason.endswith(".")
                    continue
                assert one.seen.endswith(".")
                if one.size.low is None:
                    assert one.size.note
                else:
                    assert one.size.low <= one.size.estimate <= one.size.high
                assert bool(one.assumption) is (one.test is None)
                json.dumps(dict(one.details))
                if one.picture is not None:
                    json.dumps(one.picture.to_dict())
                    assert "<svg" in drawn(one.picture)

    @pytest.mark.filterwarnings("error::RuntimeWarning")
    @pytest.mark.parametrize("few", [1, 2, 4])
    def test_a_few_rows_that_outweigh_all_others_make_no_finding(self, diagnostic, worlds, few):
        for world in worlds.values():
            weights = np.ones(len(world.labels))
            weights[7 : 7 + few] = 1e6
            for one in diagnostic.measure(replace(world, weights=weights)):
                if isinstance(one, Measurement) and one.test is not None:
                    assert one.test.p_value > 0.001

    def test_rows_are_rows(self, diagnostic, worlds):
        for world in worlds.values():
            for one in diagnostic.measure(world):
                rows = getattr(one, "rows", None)
                if rows is not None:
                    assert len(np.unique(rows.positions)) == len(rows.positions)
                    assert set(rows.positions.tolist()) <= set(range(600))
                    assert ((rows.scores >= 0) & (rows.scores <= 1)).all()

    def test_tests_have_a_planted_fault(self, diagnostic):
        if diagnostic.name not in {
            one.diagnostic for one in FAULTS.values()
        }:  # then it never finds: what it says rests on an assumption
            results = list(diagnostic.measure(clean("skewed lengths", 600, rng())))
            assert all(one.test is None for one in results if isinstance(one, Measurement))


def planted(diagnostic):
    """Makes worlds with a fault that a diagnostic surely finds."""
    fault = next(one for one in FAULTS.values() if one.diagnostic == diagnostic)
    return lambda pairs, rng: fault.plant(pairs, rng, fault.surely)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    fault = FAULTS[name]
    result = judged(fault.plant(2000, rng(), fault.surely))
    found = [one for one in result if one.verdict == "found"]
    assert fault.diagnostic in {one.diagnostic.name for one in found}
    one = next(one for one in found if one.diagnostic.name == fault.diagnostic)
    assert 0 < one.severity < 1
    assert one.p_value <= 0.05
    assert "That is more than" in one.sentence


@pytest.mark.parametrize("name", FAULTS)
def test_a_remedy_is_part_of_a_configuration(name):
    for one in judged(FAULTS[name].plant(1000, rng(), FAULTS[name].surely)):
        for line in one.remedies:
            ((section, options),) = yaml.safe_load(line).items()
            given = {"train": "x.jsonl"} if section == "data" else {}
            SECTIONS[section](**given, **options)


@pytest.mark.slow
def test_clean_data_are_left_alone():
    """By chance .05 at most a world has a finding; of 60, eight or more have chance .01."""
    hits = 0
    for k, kind in enumerate(KINDS):
        for seed in range(15):
            result = judged(clean(kind, 1000, np.random.default_rng([9, k, seed])))
            hits += any(one.verdict == "found" for one in result)
    assert hits < 8


def test_few_data_cannot_tell_and_how_many_would():
    (one,) = [
        one
        for one in judged(clean("skewed lengths", 150, rng()))
        if one.name == "shortcuts: length"
    ]
    assert one.verdict == "cannot tell"
    assert one.enough > 150
    assert f"some {one.enough:,} rows would do" in one.sentence


def test_many_data_would_have_found_it():
    (one,) = [
        one
        for one in judged(clean("skewed lengths", 6000, rng(), length=0.0))
        if one.name == "shortcuts: length"
    ]
    assert one.verdict == "not found"
    assert one.power > 0.95


def test_the_more_that_is_asked_the_more_it_takes():
    diagnostic = diagnostics()["shortcuts"]
    one = next(iter(diagnostic.measure(clean("skewed lengths", 2000, rng()))))
    (alone,) = diagnoses([(diagnostic, one)])
    several = diagnoses([(diagnostic, one)] * 10)
    assert several[0].p_value == pytest.approx(min(10 * alone.p_value, 1.0))
    assert several[0].power < alone.power


def test_a_measurement_may_have_more_of_the_error_rate_than_others():
    diagnostic = diagnostics()["shortcuts"]
    one = replace(next(iter(diagnostic.measure(clean("skewed lengths", 2000, rng())))), weight=1.0)
    heavy, light = replace(one, of="heavy", weight=3.0), replace(one, of="light")
    result = {d.measurement.of: d for d in diagnoses([(diagnostic, heavy), (diagnostic, light)])}
    alone = one.test.p_value
    assert result["heavy"].p_value == pytest.approx(min(alone * 4 / 3, 1))
    assert result["heavy"].power > result["light"].power


def measured(name, world):
    """What a diagnostic measures first."""
    return next(iter(diagnostics()[name].measure(world)))


def test_opposed_takes_two_parts_that_both_care_enough():
    """A large part with a sure slope that does not matter opposes nobody."""
    n, drawn = 40_000, rng()
    world = clean("skewed lengths", n, drawn)
    small = drawn.random(n) < 0.01
    groups = np.where(small, "small", "large").astype(object)
    slopes = np.where(small, -0.9, 0.08) * world.contrasts["length"]
    world = voted(replace(world, margins_true=slopes, groupings={"group": groups}), 1, drawn)
    one = measured("opposed shortcuts", world)
    assert one.size.estimate == pytest.approx(0.08, abs=0.03)
    assert one.test.p_value > 0.5


def test_parts_that_like_the_same_are_not_said_to_avoid_it():
    world = clean("unbalanced groups", 2000, rng(), length=0.8)
    world = replace(world, contrasts={"length": world.contrasts["length"]})
    seen = measured("opposed shortcuts", world).seen
    assert seen.count("prefers longer") == 2
    assert "avoids" not in seen


def test_which_response_is_named_first_moves_no_shortcut():
    world = clean("skewed lengths", 2000, rng(), length=0.8)
    turn = np.where(world.labels > 0.5, 1, -1)
    first = replace(
        world, labels=np.ones(2000), contrasts={"length": turn * world.contrasts["length"]}
    )
    sizes = [measured("shortcuts", one).size.estimate for one in (world, first)]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-6)


def test_a_feature_that_differs_alike_on_every_row_is_found():
    world = clean("skewed lengths", 500, rng())
    world = replace(world, labels=np.ones(500), contrasts={"lists": np.full(500, 0.7)})
    assert measured("shortcuts", world).test.p_value < 0.001


@pytest.mark.parametrize("said", [{"labels": np.full(300, 0.5)}, {"weights": np.zeros(300)}])
def test_shortcuts_of_rows_that_say_nothing_are_not_judged(said):
    world = replace(clean("skewed lengths", 300, rng()), **said)
    assert "no ties" in measured("shortcuts", world).reason


def test_shortcuts_of_few_prompts_are_not_judged():
    world = clean("skewed lengths", 500, rng())
    assert "10 prompts" in measured("shortcuts", replace(world, prompts=np.arange(500) % 9)).reason
    few = replace(world, weights=(np.arange(500) < 5).astype(float))
    assert "10 prompts" in measured("shortcuts", few).reason


def test_a_feature_that_differs_on_rows_without_a_weight_is_not_tried():
    world = clean("skewed lengths", 500, rng())
    given = np.arange(500) < 250
    lengths = {"length": np.where(given, 0.0, 1.0)}
    one = replace(world, weights=given.astype(float), contrasts=lengths)
    assert "100 rows that differ" in measured("shortcuts", one).reason


def test_a_feature_that_goes_with_the_place_is_not_told_from_it():
    """The first response is always the same, and wins 70 %: by its length or by its place."""
    drawn = rng()
    groups = drawn.choice(np.array(["one", "other"], dtype=object), 2000)
    wins = np.where(groups == "one", 0.7, 0.3)
    world = replace(
        clean("unbalanced groups", 2000, drawn),
        placed=np.ones(2000),
        labels=(drawn.random(2000) < wins).astype(float),
        groupings={"group": groups},
        contrasts={"length": np.full(2000, 0.4)},
    )
    assert "place" in measured("shortcuts", world).reason
    assert isinstance(measured("opposed shortcuts", world), Lacking)


def test_parts_with_one_prompts_pairs_are_not_independent():
    """Two parts that contradict each other on the same pairs: a mistake of one is right in one."""
    drawn = rng()
    world = clean("skewed lengths", 1000, drawn)
    half = clean("skewed lengths", 500, drawn)
    truth = (half.margins_true > 0).astype(float)
    names = np.repeat(np.array(["one", "other"], dtype=object), 500)
    sure = np.where(np.arange(500) < 300, truth, 1 - truth)
    both = replace(
        world,
        vectors=np.concatenate([half.vectors] * 2),
        prompts=np.concatenate([np.arange(500)] * 2),
        labels=np.concatenate([sure, 1 - sure]),
        groupings={"group": names},
    )
    both.__dict__["margins"] = np.concatenate([half.margins_true] * 2)
    error = measured("worst part", both).test.error
    right = sure == truth
    assert error == pytest.approx(2 * right.std() / np.sqrt(500), rel=0.02)


def test_rows_that_would_do_are_rows_not_votes():
    world = planted("rogue annotator")(2000, rng())
    assert measured("rogue annotator", world).size.n == 2000


def test_an_annotator_of_few_prompts_is_not_judged():
    world = planted("rogue annotator")(2000, rng())
    assert (
        "10 prompts"
        in measured(
            "rogue annotator", replace(world, prompts=np.zeros(2000, dtype=np.int64))
        ).reason
    )


def test_names_are_shown_in_one_line():
    world = planted("rogue annotator")(2000, rng())
    names = tuple(f"{name}\nLabels: nothing found" for name in world.votes.names)
    one = measured("rogue annotator", replace(world, votes=replace(world.votes, names=names)))
    assert "\n" not in one.seen + one.advice


def test_the_most_frequent_parts_come_first():
    names = np.array([None, "b", "a", "b", "c", None, "a", None], dtype=object)
    assert parts_of(names, 1) == ["a", "b", "c"]
    assert parts_of(names, 2) == ["a", "b"]


def test_a_unit_that_some_rows_lack_is_no_remedy():
    world = planted("worst part")(2000, rng())
    whole = measured("worst part", world)
    assert Objective(**whole.remedy["objective"]).risk.unit == "group"
    names = world.groupings["group"].copy()
    names[::100] = None
    part = measured("worst part", replace(world, groupings={"group": names}))
    assert not part.remedy
    assert "give every row a name" in part.advice
