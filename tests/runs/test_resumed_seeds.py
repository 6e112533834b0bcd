"""`--resume` of several seeds goes on with each; checkpoints that lack a piece are refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from language_models import CHAT, byte_tokenizer, llama, pairs, save

from surefoot.cli.inputs import run_folders
from surefoot.errors import ConfigurationError
from surefoot.runs import is_finished
from surefoot.training import PreferenceTrainer, RunConfig, train, train_seeds

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def configure(tmp_path):
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(24)))
    policy = save(tmp_path / "policy", llama(), byte_tokenizer(CHAT))

    def make(output: str, seed: int = 0, **training) -> RunConfig:
        steps = {"max_steps": 4, "pairs_per_step": 8, "micro_batch_pairs": 8, "save_every": 1}
        return RunConfig(
            data={"train": str(data)},
            scorer={"kind": "policy", "model": policy, "precision": "float32", "max_length": 96},
            training={**steps, "learning_rate": 1e-3, "log_every": 3, "seed": seed, **training},
            output=str(tmp_path / output),
        )

    return make


def _stop_at(monkeypatch, calls: int):
    """Training is interrupted in the middle of this call of a step."""
    step, count = PreferenceTrainer.training_step, 0

    def counted(self, *given, **named):
        nonlocal count
        count += 1
        if count == calls:
            raise KeyboardInterrupt
        return step(self, *given, **named)

    monkeypatch.setattr(PreferenceTrainer, "training_step", counted)


def _seeds(configs, root, **how):
    return train_seeds(configs, root=str(root), **how)


def test_seeds_go_on_where_each_was_stopped(configure, tmp_path, monkeypatch):
    configs = [configure(f"all/seed-{i}", i) for i in range(3)]
    whole = [configure(f"whole/seed-{i}", i) for i in range(3)]
    expected = {run.folder.name: run for run in _seeds(whole, tmp_path / "whole")}
    with monkeypatch.context() as patch:
        _stop_at(patch, 4 + 3)  # the second seed's third step
        with pytest.raises(KeyboardInterrupt) as stopped:
            _seeds(configs, tmp_path / "all")
    assert "--resume goes on" in stopped.value.__notes__[0]
    assert str(tmp_path / "all") in stopped.value.__notes__[0]
    with pytest.raises(ConfigurationError, match=r"was not finished \(seed-2 absent\)"):
        run_folders(str(tmp_path / "all"))
    said = []
    runs = _seeds(configs, tmp_path / "all", resume=True, say=said.append)
    assert [run.folder.name for run in runs] == ["seed-1", "seed-2"]
    assert any("seed-0 is finished already" in line for line in said)
    assert is_finished(tmp_path / "all")
    for path in run_folders(str(tmp_path / "all")):
        one = (path / "model.safetensors").read_bytes()
        assert one == (tmp_path / "whole" / path.name / "model.safetensors").read_bytes()
    figures = (json.loads((tmp_path / name / "seed-1" / "manifest.json").read_text())["figures"]
               for name in ("all", "whole"))  # fmt: skip
    one, other = figures
    assert one["last"] == other["last"]
    assert expected["seed-1"].report.last == one["last"]
    losses = [[log.get("train_loss") for log in each["log"]][-1] for each in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("lost", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "weights"])
def test_a_checkpoint_without_a_piece_is_refused(configure, tmp_path, monkeypatch, lost):
    config = configure("run")
    with monkeypatch.context() as patch:
        _stop_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    (checkpoint,) = (tmp_path / "run").glob("checkpoint-*")
    (checkpoint / ("model.safetensors" if lost == "weights" else lost)).unlink()
    with pytest.raises(
        ConfigurationError, match=r"checkpoint-1: (optim|sched|rng|model).* missing"
    ):
        train(config, resume=True)


def test_another_precision_is_refused(configure, tmp_path, monkeypatch):
    config = configure("run")
    with monkeypatch.context() as patch:
        _stop_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    half = config.scorer.model_copy(update={"precision": "bfloat16"})
    other = config.model_copy(update={"scorer": half})
    with pytest.raises(ConfigurationError, match=r"precision was '(no|fp32)? ?float32' and is"):
        train(other, resume=True)


def test_stopped_before_the_first_checkpoint_it_begins_anew(configure, tmp_path, monkeypatch):
    config = configure("run", save_every=3)
    with monkeypatch.context() as patch:
        _stop_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    other = configure("run", save_every=3, learning_rate=2e-3)
    with pytest.raises(ConfigurationError, match="another configuration"):
        train(other, resume=True)
    resumed = train(config, resume=True).model.prepared.model.state_dict()
    with pytest.raises(ConfigurationError, match="is finished already"):
        train(config, resume=True)
    shutil.rmtree(tmp_path / "run")
    for name, value in train(config).model.prepared.model.state_dict().items():
        assert torch.equal(value, resumed[name])


def test_seeds_of_other_data_are_not_mixed(configure, tmp_path, monkeypatch):
    configs = [configure(f"all/seed-{i}", i, save_every=None) for i in range(2)]
    with monkeypatch.context() as patch:
        _stop_at(patch, 4 + 2)  # the second seed's second step
        with pytest.raises(KeyboardInterrupt):
            _seeds(configs, tmp_path / "all")
    data = tmp_path / "pairs.jsonl"
    rows = data.read_text()
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(25)))
    with pytest.raises(ConfigurationError, match=r"seed-0 was trained on other data than"):
        _seeds(configs, tmp_path / "all", resume=True)
    data.write_text(rows)
    assert [run.folder.name for run in _seeds(configs, tmp_path / "all", resume=True)] == ["seed-1"]
    assert _seeds(configs, tmp_path / "all", resume=True) == []
