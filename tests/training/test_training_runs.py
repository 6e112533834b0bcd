"""Configurations and runs: checked before anything runs, complete afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from surefoot.data import read_preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.scorers import EmbeddingRewardModel
from surefoot.training import RunConfig, prepare, train, train_seeds
from surefoot.training.folder import saved_prompts, saved_seed


@pytest.fixture
def pairs(rows, tmp_path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(120, seed=4, source="s")))
    return path


@pytest.fixture
def config(small_encoder, pairs, tmp_path) -> Path:
    path = tmp_path / "run.yaml"
    content = {
        "data": {"train": str(pairs)},
        "scorer": {"kind": "embedding", "encoder": small_encoder, "head": "linear"},
        "objective": {"labels": {"kind": "smoothed", "flip_rate": 0.1}},
        "output": str(tmp_path / "runs" / "a"),
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"objective.labels.flip_rat": "0.1"}, "did you mean 'flip_rate'"),
        ({"objectve.loss": "hinge"}, "did you mean 'objective'"),
        ({"data.held_out": "1.5"}, "got 1.5"),
        ({"training.seed": "-1"}, "got -1"),
        ({"data.damaged": "ignore"}, "got 'ignore'"),
        ({"data.train": "[]"}, "train"),
        ({"scorer.head": "deep"}, "unknown head 'deep'"),
        ({"scorer.views": "[together, wole]"}, "got 'wole'"),
        ({"scorer": "bert"}, "unknown scorer 'bert'"),
        ({"objective.loss": "{"}, "not valid YAML"),
        ({"output": "''"}, "output"),
    ],
)
def test_wrong_options_fail_before_anything_runs(config, overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        RunConfig.read(config, overrides)


@pytest.mark.parametrize(
    ("content", "message"),
    [("data: [", "not valid YAML"), ("- a", "options by name"), ("output: x", "'data'")],
)
def test_wrong_files_are_named(tmp_path, content, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        RunConfig.read(path)
    with pytest.raises(ConfigurationError, match="no configuration at"):
        RunConfig.read(tmp_path / "absent.yaml")


def test_overrides_reach_into_members_that_are_named_or_absent(config):
    read = RunConfig.read(
        config,
        {
            "scorer.head.l2": "0.5",
            "scorer.encoder.max_length": "32",
            "objective.risk": "{kind: cvar, level: 0.5}",
            "objective.risk.level": "0.4",
            "training.bootstrap": "true",
        },
    )
    assert read.scorer.head.l2 == 0.5
    assert read.scorer.encoder.max_length == 32
    assert read.objective.risk.level == 0.4
    assert read.training.bootstrap


def test_a_written_configuration_runs_as_it_is(config, tmp_path):
    read = RunConfig.read(config)
    (tmp_path / "again.yaml").write_text(read.to_yaml())
    assert RunConfig.read(tmp_path / "again.yaml") == read


def test_a_run_folder_holds_everything(config, pairs, tmp_path):
    run = train(RunConfig.read(config, {"data.held_out": "0.25"}))
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        "README.md",
        "config.yaml",
        "damage.json",
        "held-out.jsonl",
        "manifest.json",
        "model.safetensors",
        "surefoot-run.json",
        "surefoot.json",
        "training-prompts.safetensors",
    }
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["data"]["rows"] + manifest["data"]["held_out_rows"] == 120
    assert manifest["figures"]["gap"] < 1e-6
    assert manifest["versions"]["surefoot"]
    damage = json.loads((run.folder / "damage.json").read_text())
    assert not [reason for reason in damage["unchecked"] if "leakage" in reason]
    held_out = read_preferences(run.folder / "held-out.jsonl")
    assert set(held_out.prompt_keys().tolist()).isdisjoint(saved_prompts(run.folder))
    model = EmbeddingRewardModel.load(run.folder)
    np.testing.assert_array_equal(model.rewards(held_out), run.model.rewards(held_out))
    assert model.score(held_out) > 0.7
    # The same configuration gives the same numbers.
    again = train(RunConfig.read(run.folder / "config.yaml", {"output": str(tmp_path / "b")}))
    np.testing.assert_array_equal(again.model.rewards(held_out), run.model.rewards(held_out))


def test_nothing_is_overwritten_unasked(config):
    first = RunConfig.read(config)
    train(first)
    with pytest.raises(ConfigurationError, match="--overwrite"):
        train(first)
    train(first, overwrite=True)


@pytest.mark.parametrize("policy", ["remove", "keep", "fail"])
def test_damaged_rows(config, pairs, rows, policy):
    same = {**rows(1)[0], "response_a": "good", "response_b": "good"}
    with pairs.open("a") as file:
        file.write(json.dumps(same) + "\n")
    read = RunConfig.read(config, {"data.damaged": policy})
    if policy == "fail":
        with pytest.raises(DataError, match="identical-responses: 1 row"):
            prepare(read.data)
        return
    data = prepare(read.data)
    assert data.removed == (policy == "remove")
    assert len(data.train) == 120 + (policy == "keep")
    assert data.damage.of("identical-responses").count == 1


def test_near_duplicates_across_the_split_are_told(config, pairs, rows):
    words = " ".join(f"word{i}" for i in range(60))
    with pairs.open("a") as file:
        for i in range(40):
            file.write(json.dumps({**rows(1, seed=9)[0], "prompt": f"{words} {i}"}) + "\n")
    data = prepare(RunConfig.read(config, {"data.held_out": "0.5"}).data)
    assert data.damage.of("leaked-near-duplicate").count > 5


def test_bootstrap_seeds_differ_and_repeat(config, tmp_path, rows):
    base = RunConfig.read(config, {"training.bootstrap": "true"})
    data = prepare(base.data)
    runs = [
        train(base.for_seed(seed, str(tmp_path / f"{i}")), data) for i, seed in enumerate((0, 1, 0))
    ]
    weights = [run.model.parameters_["weight"].numpy() for run in runs]
    np.testing.assert_array_equal(weights[0], weights[2])
    assert not np.allclose(weights[0], weights[1])
    for one in (base, RunConfig.read(config, {"scorer.head": "mlp"})):
        assert len(one.for_seeds(2)) == 2
    with pytest.raises(ConfigurationError, match="would give the same model 2 times"):
        RunConfig.read(config).for_seeds(2)


def test_seeds_in_a_batch_give_the_runs_that_they_give_alone(config, tmp_path):
    base = RunConfig.read(config, {"training.bootstrap": "true", "objective.loss": "hinge"})
    data = prepare(base.data)
    said: list[str] = []
    configs = [base.for_seed(seed, str(tmp_path / f"seed-{seed}")) for seed in (4, 5)]
    runs = train_seeds(configs, data, say=said.append)
    for seed, run in zip((4, 5), runs, strict=True):
        alone = train(base.for_seed(seed, str(tmp_path / f"alone-{seed}")), data)
        np.testing.assert_allclose(
            run.model.rewards(data.train), alone.model.rewards(data.train), atol=1e-5
        )
        assert saved_seed(run.folder) == seed
        one, other = (
            json.loads((r.folder / "manifest.json").read_text())["figures"] for r in (run, alone)
        )
        assert one["l2"] == other["l2"]
        assert one["out_of_fold_accuracy"] == other["out_of_fold_accuracy"]
        assert one["objective"] == pytest.approx(other["objective"], abs=1e-6)
    notes = [f"warning: {note}" for note in runs[0].report.warnings]
    assert said == [f"objective: {base.objective.describe()}", *notes]


def test_runs_that_differ_in_more_than_the_seed_are_not_fitted_together(config, tmp_path):
    other = RunConfig.read(config, {"objective.loss": "hinge", "output": str(tmp_path / "b")})
    with pytest.raises(ConfigurationError, match="seed alone"):
        train_seeds([RunConfig.read(config), other])
    assert not (tmp_path / "b").exists()


def test_group_weights_are_written(config, pairs, rows, tmp_path):
    with pairs.open("a") as file:
        for row in rows(60, seed=8, source="t"):
            file.write(json.dumps({**row, "label": 1 - row["label"]}) + "\n")
    said: list[str] = []
    options = {"objective.risk": "{kind: cvar, level: 0.3, unit: source}"}
    run = train(RunConfig.read(config, options), say=said.append)
    weights = json.loads((run.folder / "manifest.json").read_text())["figures"][
        "worst_case_weights"
    ]
    by_name = {entry["unit"]: entry for entry in weights}
    assert by_name["t"]["weight"] > by_name["t"]["mass"]
    assert sum(entry["weight"] for entry in weights) == pytest.approx(1)


def test_a_missing_column_of_the_risk_is_an_error(config):
    options = {"objective.risk": "{kind: cvar, unit: group}"}
    with pytest.raises((DataError, ConfigurationError), match="'group'"):
        train(RunConfig.read(config, options))


def test_more_flips_than_the_data_leave_room_for(config, tmp_path):
    """Labels of these pairs are predicted almost without error; 40 % of them cannot be flips."""
    told = {
        "objective.labels": "{kind: smoothed, flip_rate: 0.4}",
        "output": str(tmp_path / "told"),
    }
    said = []
    run = train(RunConfig.read(config, told), say=said.append)
    (warned,) = [line for line in said if "flip_rate is 0.4" in line]
    assert warned.removeprefix("warning: ") in (run.folder / "README.md").read_text()
    figures = json.loads((run.folder / "manifest.json").read_text())["figures"]
    assert figures["flip_rate_bound"] == 1 - figures["out_of_fold_accuracy"]["low"]
    assert f"at most {figures['flip_rate_bound']:.0%}" in (run.folder / "README.md").read_text()
    said.clear()
    few = {"objective.labels": "{kind: smoothed, flip_rate: 0.01}", "output": str(tmp_path / "few")}
    train(RunConfig.read(config, few), say=said.append)
    assert not any("flip_rate is" in line for line in said)
