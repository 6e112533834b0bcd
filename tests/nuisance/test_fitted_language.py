"""A language model as the auxiliary model, cross-fitted on the data's own labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from encoders import WORDS
from language_models import byte_tokenizer, llama, llama_reward, save

from surefoot.data import read_preferences
from surefoot.data.splits import folds
from surefoot.errors import ConfigurationError, DataError
from surefoot.nuisance import Conditions, SampleConfig, fitted_language, sample
from surefoot.nuisance.evidence import PAIRS
from surefoot.objectives import Objective
from surefoot.scorers import load_scorer
from surefoot.training.run import train

FOLDS, PROMPTS = 2, 12
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def data(tmp_path) -> Path:
    """Three pairs of each prompt's three responses; the first word decides."""
    path = tmp_path / "data.jsonl"
    generator = np.random.default_rng(0)
    with path.open("w") as file:
        for p in range(PROMPTS):
            pool = [f"{WORDS[k]} {p}" for k in range(3)]
            for a, b in ((0, 1), (1, 2), (2, 0)):
                row = {
                    "prompt": f"question {p} about {WORDS[p % len(WORDS)]}",
                    "response_a": pool[a],
                    "response_b": pool[b],
                    "label": float(generator.random() < 0.5),
                }
                file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def auxiliary(tmp_path):
    """Options of a cross-fitted general preference model."""
    save(tmp_path / "model", llama(), byte_tokenizer())
    scorer = {"kind": "general-preference", "model": str(tmp_path / "model"), "blocks": 1}
    steps = {"max_steps": 3, "learning_rate": 1e-2, "pairs_per_step": 8, "micro_batch_pairs": 8}
    return {
        "kind": "fitted",
        "scorer": scorer,
        "folds": FOLDS,
        "training": steps,
        "held_out": 0.3,
    }


def _config(data: Path, output: Path, auxiliary: dict, **sections) -> SampleConfig:
    given = {"train": str(data), "damaged": "keep"}
    return SampleConfig(data=given, output=str(output), auxiliary=auxiliary, **sections)


def test_each_pair_is_judged_by_the_run_that_did_not_see_it(data, auxiliary, tmp_path):
    config = _config(data, tmp_path / "out", auxiliary, reference="pool")
    found = sample(config, Conditions())
    pairs = read_preferences(tmp_path / "out" / PAIRS)
    fold = folds(pairs, FOLDS, by="prompt", seed=0)
    chances = pairs.numbers("auxiliary")
    for k in range(FOLDS):
        saw = read_preferences(tmp_path / "out" / "auxiliary" / f"fold-{k}.jsonl")
        rows = pairs.select(np.flatnonzero(fold == k))
        assert not set(saw.prompt_keys()) & set(rows.prompt_keys())
        assert len(saw) + len(rows) == len(pairs)
        assert not saw.has("references")
        model = load_scorer(tmp_path / "out" / "auxiliary" / f"fold-{k}")
        expected = model.probabilities(rows).clip(0.02, 0.98)
        np.testing.assert_allclose(chances[fold == k], expected, atol=1e-6)
        # The pool's pairs are the data's, in the order of the pool: the same model judges both.
        for responses, judged in rows.read("references", "reference_auxiliary"):
            assert len(responses) == 3
            assert set(np.round(judged, 5)) <= set(np.round([*expected, *(1 - expected)], 5))
    assert "log_loss_less_even_guess" in found.to_dict()["auxiliary"]
    assert np.ptp(chances) > 0.01  # it learnt something


def test_the_labels_of_a_fold_do_not_move_what_is_said_of_it(data, auxiliary, tmp_path):
    before = sample(_config(data, tmp_path / "one", auxiliary), Conditions()).pairs
    fold = folds(before, FOLDS, by="prompt", seed=0)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    for row, k in zip(rows, fold, strict=True):
        row["label"] = 1 - row["label"] if k == 0 else row["label"]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    after = sample(_config(data, tmp_path / "two", auxiliary), Conditions()).pairs
    one, two = before.numbers("auxiliary"), after.numbers("auxiliary")
    np.testing.assert_array_equal(one[fold == 0], two[fold == 0])
    assert (one[fold != 0] != two[fold != 0]).all()


def test_a_run_that_was_killed_goes_on(data, auxiliary, tmp_path, monkeypatch):
    """Finished folds are loaded, not trained again; the outcome is the same."""
    whole = sample(_config(data, tmp_path / "whole", auxiliary), Conditions()).pairs
    trained = []

    def killed(config, **how):
        if trained:
            raise KeyboardInterrupt
        trained.append(config.output)
        return train(config, **how)

    config = _config(data, tmp_path / "cut", auxiliary)
    monkeypatch.setattr(fitted_language, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        sample(config, Conditions())
    trained.clear()
    resumed = sample(config, Conditions(), resume=True).pairs
    assert [Path(one).name for one in trained] == ["fold-1"]
    np.testing.assert_array_equal(resumed.numbers("auxiliary"), whole.numbers("auxiliary"))


def test_a_run_that_was_killed_inside_a_fold_goes_on(data, auxiliary, tmp_path, monkeypatch):
    """From that fold's checkpoint; the outcome is the same."""
    from surefoot.training.language.trainer import PreferenceTrainer

    saving = auxiliary | {"training": auxiliary["training"] | {"save_every": 1}}
    whole = sample(_config(data, tmp_path / "whole", saving), Conditions()).pairs
    steps, step = [], PreferenceTrainer.training_step

    def stopped(trainer, *arguments):
        steps.append(trainer.state.global_step)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return step(trainer, *arguments)

    config = _config(data, tmp_path / "cut", saving)
    monkeypatch.setattr(PreferenceTrainer, "training_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        sample(config, Conditions())
    resumed = sample(config, Conditions(), resume=True).pairs
    assert steps == [0, 1, 2, 2, 0, 1, 2]
    np.testing.assert_array_equal(resumed.numbers("auxiliary"), whole.numbers("auxiliary"))


def test_runs_of_other_options_are_not_taken_over(data, auxiliary, tmp_path, monkeypatch):
    sample(_config(data, tmp_path / "out", auxiliary), Conditions())
    trained = []

    def counted(config, **how):
        trained.append(config)
        return train(config, **how)

    monkeypatch.setattr(fitted_language, "train", counted)
    other = auxiliary | {"objective": Objective(loss="hinge")}
    sample(_config(data, tmp_path / "out", other), Conditions(), resume=True)
    assert len(trained) == FOLDS


def test_a_reward_model_by_rows(data, auxiliary, tmp_path):
    """Where prompts are few, the folds are of pairs."""
    save(tmp_path / "reward", llama_reward(), byte_tokenizer())
    scorer = {"kind": "reward-model", "model": str(tmp_path / "reward")}
    by_row = auxiliary | {"scorer": scorer, "fold_by": "row"}
    pairs = sample(_config(data, tmp_path / "out", by_row), Conditions()).pairs
    fold = folds(pairs, FOLDS, by="row", seed=0)
    assert len(set(zip(pairs.prompt_keys().tolist(), fold.tolist(), strict=True))) > PROMPTS
    assert np.isfinite(pairs.numbers("auxiliary")).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scorer": {"kind": "embedding"}}, "training is for language models"),
        (
            {"scorer": {"kind": "embedding"}, "training": None},
            "held_out is for language models",
        ),
        ({"held_out": 1.0}, "held_out"),
        ({"training": {"steps": 3}}, "steps"),
    ],
)
def test_what_cannot_be_honoured_is_said(data, auxiliary, tmp_path, options, message):
    with pytest.raises(ConfigurationError, match=message):
        _config(data, tmp_path / "out", auxiliary | options)


def test_without_a_folder(data, auxiliary, tmp_path):
    model = _config(data, tmp_path / "out", auxiliary).auxiliary
    with pytest.raises(ConfigurationError, match="no folder is named"):
        model.judge(read_preferences(data), None, Conditions())


def test_a_mistake_in_the_configuration_costs_no_results(data, auxiliary, tmp_path):
    out = tmp_path / "out"
    config = _config(data, out, auxiliary)
    sample(config, Conditions())
    kept = (out / PAIRS).read_bytes()
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        sample(_config(tmp_path / "absent.jsonl", out, auxiliary), Conditions(), resume=True)
    assert (out / PAIRS).read_bytes() == kept
    with pytest.raises(ConfigurationError, match="give one"):
        sample(config, Conditions(), resume=True, overwrite=True)


def test_overwriting_takes_earlier_folds_away(data, auxiliary, tmp_path, monkeypatch):
    out = tmp_path / "out"
    sample(_config(data, out, auxiliary | {"folds": 3}), Conditions())

    def killed(config, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitted_language, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        sample(_config(data, out, auxiliary), Conditions(), overwrite=True)
    assert {path.name for path in (out / "auxiliary").iterdir()} == {"fold-0.jsonl"}


def test_folds_that_were_moved_are_still_finished(data, auxiliary, tmp_path, monkeypatch):
    sample(_config(data, tmp_path / "here", auxiliary), Conditions())
    (tmp_path / "here").rename(tmp_path / "there")

    def never(config, **how):
        raise AssertionError("trained again")

    monkeypatch.setattr(fitted_language, "train", never)
    sample(_config(data, tmp_path / "there", auxiliary), Conditions(), resume=True)
