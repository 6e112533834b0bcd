"""`surefoot calibrate` changes what probabilities say, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from surefoot.cli import main
from surefoot.data import Preferences
from surefoot.errors import DataError
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.recalibration import recalibrate


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, expect=0):
        monkeypatch.setattr(sys, "argv", ["surefoot", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capfd.readouterr()
        assert code == expect, printed.err + printed.out
        return SimpleNamespace(out=printed.out, err=" ".join(printed.err.split()))

    return run


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def trained(tmp_path, rows, small_encoder):
    """A model of clean labels, and pairs of which 30 % are flipped."""
    model = EmbeddingRewardModel(EmbeddingScorer(encoder=small_encoder))
    model.fit(Preferences.from_rows(rows(200, seed=1))).save(tmp_path / "run")
    write(tmp_path / "noisy.jsonl", rows(300, seed=2, flip_rate=0.3))
    write(tmp_path / "few.jsonl", rows(20, seed=3))
    return model, Preferences.from_rows(rows(300, seed=2, flip_rate=0.3))


def test_probabilities_fit_and_the_order_stays(here, tmp_path, trained):
    before, pairs = trained
    said = here("calibrate", "run", "noisy.jsonl").out
    after = EmbeddingRewardModel.load(tmp_path / "run")
    np.testing.assert_array_equal(before.scores(pairs), after.scores(pairs))
    assert after.temperature_ > before.temperature_
    kept = json.loads((tmp_path / "run" / "surefoot.json").read_text())["calibrated"]
    assert kept["rows"] == 300
    assert kept["before"] == before.temperature_
    assert f"{after.temperature_:.3g} now" in said
    # The likeliest temperature: no other has a smaller log-loss on these pairs.
    right = np.where(pairs.labels > 0.5, 1, -1)

    def loss(temperature):
        margins = np.subtract(*after.scores(pairs).T) * right
        return np.logaddexp(0, -margins / temperature).mean()

    best = loss(after.temperature_)
    assert best < loss(before.temperature_) - 0.01
    assert best < min(loss(after.temperature_ * factor) for factor in (0.8, 1.25))


def test_flips_that_training_allowed_for_are_in_the_log_loss(tmp_path, rows, small_encoder):
    labels = {"kind": "flip-corrected", "flip_rate": 0.3}
    model = EmbeddingRewardModel(EmbeddingScorer(encoder=small_encoder), Objective(labels=labels))
    pairs = Preferences.from_rows(rows(300, seed=2, flip_rate=0.3))
    model.fit(Preferences.from_rows(rows(200, seed=1, flip_rate=0.3))).save(tmp_path)
    model.temperature_ *= 3
    found = recalibrate(tmp_path, model, pairs)
    margins = np.subtract(*model.scores(pairs).T)
    chances = 1 / (1 + np.exp(-np.where(pairs.labels > 0.5, margins, -margins) / found.after))
    assert found.log_loss_after == pytest.approx(-np.log(0.3 + 0.4 * chances).mean(), abs=1e-5)
    assert found.log_loss_after < found.log_loss_before


def test_pairs_of_training_are_named(here, tmp_path, rows, small_encoder):
    write(tmp_path / "pairs.jsonl", [*rows(200, seed=1), *rows(100, seed=2)])
    write(tmp_path / "others.jsonl", rows(100, seed=4))
    scorer = {"kind": "embedding", "encoder": small_encoder}
    config = {"data": {"train": "pairs.jsonl"}, "scorer": scorer}
    (tmp_path / "run.yaml").write_text(json.dumps(config | {"output": "run"}))
    here("train", "run.yaml")
    assert "occurs in training" not in here("calibrate", "run", "others.jsonl").err
    assert "300 of 300 pairs (100.0%) have a prompt that occurs in training" in (
        here("calibrate", "run", "pairs.jsonl").err
    )


def test_what_it_refuses(here, trained):
    assert (
        "20 of the pairs with a weight are decided; a temperature takes 50 or more"
        in here("calibrate", "run", "few.jsonl", expect=2).err
    )
    Path("both.yaml").write_text("members: [run, run]")
    said = here("calibrate", "both.yaml", "noisy.jsonl", expect=2).err
    assert "name the pairs there (calibration: [pairs.jsonl])" in said
    assert "nosuch does not exist" in here("calibrate", "nosuch", "few.jsonl", expect=2).err


def test_what_says_nothing_leaves_the_run_as_it_was(tmp_path, trained, monkeypatch):
    model, pairs = trained
    file = tmp_path / "run" / "surefoot.json"
    before = file.read_bytes()
    weightless = pairs.with_columns(weight=[0.0] * len(pairs))
    with pytest.raises(DataError, match="0 of the pairs with a weight are decided;"):
        recalibrate(tmp_path / "run", model, weightless)
    ties = pairs.with_labels([0.5] * 299 + [1.0])
    with pytest.raises(DataError, match="decided beside 299 ties"):
        recalibrate(tmp_path / "run", model, ties)
    monkeypatch.setattr(type(model), "scores", lambda *_: np.full((len(pairs), 2), np.nan))
    with pytest.raises(DataError, match="no finite score to 300 of 300"):
        recalibrate(tmp_path / "run", model, pairs)
    assert file.read_bytes() == before
