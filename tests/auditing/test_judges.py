"""The audit of a judge: what its diagnostics say of sound judges, and of ones with a fault."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import Lacking, Measurement, diagnoses
from surefoot.auditing.document import VerdictsDocument
from surefoot.auditing.judges import JudgeMaterial, audit_judge, judge_diagnostics
from surefoot.auditing.judges.calibrated import calibrated
from surefoot.auditing.judges.diagnostics.label_next import spread_order
from surefoot.auditing.judges.diagnostics.win_rate import orientation
from surefoot.errors import DataError
from surefoot.statistics.estimate import finite_only
from surefoot.worlds.planted.material import clean
from surefoot.worlds.planted_judges import SOUND, judge_faults, sound, verdicts

EVERY = judge_diagnostics()
FAULTS = judge_faults()


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def measured(name, judge):
    (one,) = EVERY[name].measure(judge)
    return one


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    fault = FAULTS[name]
    found = audit_judge(fault.plant(2000, rng(), fault.surely), "planted").found
    assert fault.diagnostic in {one.diagnostic.name for one in found}


def test_every_test_has_a_planted_fault():
    tested = {
        name
        for name, one in EVERY.items()
        for result in one.measure(sound("graded", 3, 600))
        if isinstance(result, Measurement) and result.test is not None
    }
    assert tested == {one.diagnostic for one in FAULTS.values()}


@pytest.mark.slow
def test_sound_judges_are_left_alone():
    """By chance .05 at most a judge has a finding; of 60, eight or more have chance .01."""
    hits = 0
    for kind in SOUND:
        for number in range(12):
            hits += bool(audit_judge(sound(kind, number, 1000), "sound").found)
    assert hits < 8


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("labels", [0.0, 0.1, 1.0])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_what_it_says_has_the_documented_form(kind, labels):
    found = audit_judge(sound(kind, 1, 400, labels), "sound")
    content, _ = finite_only(found.to_dict())
    VerdictsDocument.model_validate_json(json.dumps(content))
    for name, one in EVERY.items():
        assert one.question.endswith("?")
        assert one.threat == "judge"
        for reason in found.lacking:
            assert reason.endswith(".")
        assert any(d.diagnostic.name == name for d in found.diagnoses) or any(
            reason.startswith(f"{name}: ") for reason in found.lacking
        )


def odd(people, **changes) -> JudgeMaterial:
    made = verdicts(people, rng(), people.margins_true)
    return replace(made, **changes)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("rows", [3, 60])
@pytest.mark.parametrize("said", [0.0, 0.5, 1.0, np.nan])
def test_odd_verdicts_end_in_a_sentence(rows, said):
    people = clean("skewed lengths", 300, rng()).part(np.arange(rows))
    same = np.full(rows, said)
    judge = odd(people, shown=same, turned=np.full(rows, np.nan), again=same)
    if np.isnan(said):
        with pytest.raises(DataError, match="no verdict"):
            audit_judge(judge, "odd")
        return
    found = audit_judge(judge, "odd")
    assert found.verdict
    tied = replace(judge, people=replace(people, labels=np.full(rows, 0.5)))
    assert audit_judge(tied, "odd").verdict
    unweighted = replace(people, weights=np.concatenate([[1.0], np.zeros(rows - 1)]))
    assert audit_judge(replace(judge, people=unweighted), "odd").verdict


def test_a_judge_whose_every_verdict_flips_is_said_to_say_nothing():
    """It needs no labels: 40 of 40 pairs of a weak judge flipped with the order."""
    people = clean("skewed lengths", 60, rng())
    judge = verdicts(people, rng(), people.margins_true, labels=0.0, first=1.0)
    found = audit_judge(judge, "weak")
    assert found.verdict.startswith("Do not rely on this judge: it says nothing.")
    (one,) = [d for d in found.found if d.name == "order flips"]
    assert one.measurement.size.estimate == 1
    assert "moves it more than the texts" in one.sentence
    assert "Take another model" in found.next_step


def test_a_judge_with_the_place_of_one_order_is_seen_by_labels():
    people = clean("skewed lengths", 2000, rng())
    judge = verdicts(people, rng(), people.margins_true, labels=1.0, first=0.4)
    one = measured("slot preference", replace(judge, turned=np.full(2000, np.nan)))
    assert "one order only" in one.seen
    assert one.size.estimate == pytest.approx(0.2, abs=0.04)  # half of what it takes unread
    assert measured("slot preference", judge).size.estimate == pytest.approx(0.2, abs=0.03)


def test_people_who_like_length_make_no_judge_verbose():
    people = clean("skewed lengths", 2000, rng(), length=0.8)
    for skill in (0.4, 1.0, 50.0):
        judge = verdicts(people, rng(), skill * people.margins_true, labels=1.0)
        assert measured("verbosity", judge).test.p_value > 0.05


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_good_or_bad_models_of_the_judges_own_are_no_self_preference(share):
    """People prefer its own in this share of pairs; the judge errs at random, or knows better."""
    people = clean("skewed lengths", 2000, rng())
    names = np.full((2000, 2), "another", dtype=object)
    side = rng(2).integers(0, 2, 2000)
    names[np.arange(2000), side] = "the judge"
    pull = np.where(side == 0, 1, -1) * np.log(share / (1 - share))
    margins = people.margins_true + pull
    labels = (rng(3).random(2000) < 1 / (1 + np.exp(-margins))).astype(float)
    people = replace(people, models=names, labels=labels)
    for skill in (0.5, 1.0, 2.0):
        judge = verdicts(people, rng(4), skill * margins, labels=1.0)
        assert measured("self-preference", judge).test.p_value > 0.05


def test_the_judges_own_name_is_found_in_any_case():
    judge = sound("like a person", 0, 300)
    assert (replace(judge, name="THE JUDGE").own == judge.own).all()
    assert set(judge.own) == {-1.0, 0.0, 1.0}


def test_own_responses_on_one_side_are_not_told_from_the_place():
    people = clean("skewed lengths", 500, rng())
    names = np.full((500, 2), "another", dtype=object)
    names[:, 0] = "the judge"
    judge = verdicts(replace(people, models=names), rng(), people.margins_true, labels=1.0)
    assert isinstance(measured("self-preference", judge), Measurement)
    assert isinstance(
        measured("self-preference", replace(judge, turned=judge.turned * np.nan)), Lacking
    )


def test_a_part_has_error_rates_of_its_own():
    one = measured("worst group", FAULTS["turned on some"].plant(2000, rng(), 1.0))
    rare, common = (one.details[name]["J"]["estimate"] for name in ("rare", "common"))
    assert rare < -0.2 < 0.2 < common
    assert "'rare'" in one.seen


def test_wins_are_counted_for_one_of_two_models():
    people = clean("skewed lengths", 800, rng())
    first = rng(2).random(800) < 0.5
    names = np.where(np.stack([first, ~first], axis=1), "ours", "theirs").astype(object)
    labels = np.where(rng(3).random(800) < 0.7, first, ~first).astype(float)
    people = replace(people, models=names, labels=labels)
    one = measured("win rate", verdicts(people, rng(), np.zeros(800), labels=1.0))
    assert one.details["of"] == "'ours'"
    assert one.size.estimate == pytest.approx(np.mean(labels == first), abs=0.002)
    plain = sound("like a person", 0, 300)
    assert (orientation(plain)[0] == 1).all()


def test_calibration_undoes_a_factor():
    people = clean("skewed lengths", 4000, rng(), length=0.0)
    judge = verdicts(people, rng(), 2 * people.margins_true, labels=1.0, graded=True)
    one = measured("auxiliary", judge)
    assert one.details["scale"] == pytest.approx(0.5, abs=0.1)
    assert one.remedy["objective"]["labels"]["kind"] == "conditional-expectation"
    found, truth = calibrated(judge), 1 / (1 + np.exp(-people.margins_true))
    assert np.abs(found - truth).mean() < 0.04


def test_a_poor_judge_is_no_auxiliary():
    one = measured("auxiliary", FAULTS["a coin"].plant(2000, rng(), 1.0))
    assert not one.remedy
    assert "Too poor" in one.advice


def test_any_beginning_of_what_to_label_is_spread_over_values():
    values = rng().normal(size=1000)
    order = spread_order(values, rng())
    assert sorted(order.tolist()) == list(range(1000))
    ranks = np.argsort(np.argsort(values))
    for n in (8, 50, 200):
        counted = np.bincount(ranks[order[:n]] * 4 // 1000, minlength=4)
        assert counted.max() - counted.min() <= 2


def test_every_row_is_as_likely_to_be_labelled_first():
    values = np.arange(7.0)
    first = [spread_order(values, np.random.default_rng(k))[0] for k in range(700)]
    assert np.bincount(first, minlength=7).min() > 60


def test_what_to_label_next_are_rows_without_labels():
    judge = sound("graded", 0, 400, 0.3)
    one = measured("label next", judge)
    assert not judge.labelled[one.rows.positions].any()
    assert (np.diff(one.rows.scores) < 0).all()


def test_the_more_is_asked_the_more_it_takes():
    one = (EVERY["order flips"], measured("order flips", sound("at the edge", 0)))
    assert diagnoses([one] * 4)[0].p_value >= diagnoses([one])[0].p_value
