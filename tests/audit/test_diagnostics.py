"""Diagnostics: what each declares, that planted faults are found, and clean data are left alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from surefoot.audit import Lacking, Measurement, diagnoses, diagnostics
from surefoot.objectives import Objective
from surefoot.worlds.planted import FAULTS, KINDS, clean

EVERY = list(diagnostics().values())
NAMES = [one.name for one in EVERY]


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
                assert one.size.low <= one.size.estimate <= one.size.high
                assert bool(one.assumption) is (one.test is None)
                json.dumps(dict(one.details))

    def test_rows_are_rows(self, diagnostic, worlds):
        for world in worlds.values():
            for one in diagnostic.measure(world):
                rows = getattr(one, "rows", None)
                if rows is not None:
                    assert len(np.unique(rows.positions)) == len(rows.positions)
                    assert set(rows.positions.tolist()) <= set(range(600))
                    assert ((rows.scores >= 0) & (rows.scores <= 1)).all()

    def test_tests_have_a_planted_fault(self, diagnostic):
        world = FAULTS.get(diagnostic.name)
        if world is None:  # then it never finds: what it says rests on an assumption
            results = list(diagnostic.measure(clean("skewed lengths", 600, rng())))
            assert all(one.test is None for one in results if isinstance(one, Measurement))


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    found = [one for one in judged(FAULTS[name](2000, rng())) if one.verdict == "found"]
    assert name in {one.diagnostic.name for one in found}
    one = next(one for one in found if one.diagnostic.name == name)
    assert 0 < one.severity < 1
    assert one.p_value <= 0.05
    assert "That is more than" in one.sentence


@pytest.mark.parametrize("name", FAULTS)
def test_a_remedy_is_part_of_a_configuration(name):
    for one in judged(FAULTS[name](1000, rng())):
        for line in one.remedies:
            ((section, options),) = yaml.safe_load(line).items()
            assert section in ("objective", "scorer")
            if section == "objective":
                Objective(**options)


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
    (one,) = diagnostic.measure(clean("skewed lengths", 2000, rng()))
    (alone,) = diagnoses([(diagnostic, one)])
    several = diagnoses([(diagnostic, one)] * 10)
    assert several[0].p_value == pytest.approx(min(10 * alone.p_value, 1.0))
    assert several[0].power < alone.power
