"""`surefoot score` and `evaluate` of language models: what is told, and what is in memory."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
import yaml
from language_models import bert_reward, bert_tokenizer, byte_tokenizer, llama, pairs, save

from surefoot.cli.app import app
from surefoot.cli.inputs import load_models
from surefoot.data import read_preferences
from surefoot.scorers.loading import of_transformers


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two seeds of a policy, a reward model of another origin, and pairs of some 90 tokens."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "base", llama(), byte_tokenizer())
    save(tmp_path / "reward", bert_reward(max_position_embeddings=64), bert_tokenizer())
    long = [row | {"prompt": "word " * 60 + row["prompt"]} for row in pairs(12, source="s")]
    (tmp_path / "long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in long))
    config = {
        "data": {"train": "long.jsonl"},
        "scorer": {"kind": "policy", "model": "base", "max_length": 48, "precision": "float32"},
        "training": {"max_steps": 2, "pairs_per_step": 8, "learning_rate": 1e-3},
        "output": "runs",
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def _run(capsys, *arguments: str) -> str:
    capsys.readouterr()
    app(args=list(arguments), standalone_mode=False)
    return capsys.readouterr().err


def test_what_a_model_could_not_read_is_told(folder, capsys):
    cut = "lost the start of the prompt (max_length is {} tokens)."
    told = _run(capsys, "score", "reward", "long.jsonl", "--output", "scores.jsonl")
    assert f"note: long: 12 of 12 pairs {cut.format(64)}" in told
    _run(capsys, "train", "run.yaml", "--seeds", "2")
    told = _run(
        capsys,
        "evaluate",
        "runs/seed-0",
        "long.jsonl",
        "--baseline",
        "reward",
        "--output",
        "report",
    )
    for limit in (48, 64):
        assert told.count(f"note: long.jsonl: 12 of 12 pairs {cut.format(limit)}") == 1


def test_seeds_share_their_reference(folder, capsys):
    _run(capsys, "train", "run.yaml", "--seeds", "2")
    one, other = load_models("runs")
    assert one.reference is other.reference
    assert one.prepared.model is not other.prepared.model
    rows = read_preferences("long.jsonl")
    assert (one.rewards(rows) != other.rewards(rows)).all()
    first = weakref.ref(one.reference)
    save(folder / "base", llama(seed=4), byte_tokenizer())  # what has changed is not shared
    assert of_transformers("base", "base").reference is not first()
    del one, other
    gc.collect()
    assert first() is None  # nor held longer than it is used
