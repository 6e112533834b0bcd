"""Runs of general preference models: trained, resumed, saved, evaluated and scored like others."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from language_models import (
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    gpt2,
    llama,
    llama_reward,
    pairs,
    save,
)
from transformers import AutoModelForSequenceClassification
from typer.testing import CliRunner

from surefoot.cli.app import app
from surefoot.data import read_preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers import load_scorer
from surefoot.scorers.language.preference import labels_of
from surefoot.scorers.skew import SkewOptions
from surefoot.training import train

pytestmark = pytest.mark.filterwarnings("ignore")

SKEW = {"blocks": 3, "prompt_weights": True, "reward": True}
SCORER = {"kind": "general-preference", **SKEW}
LABELS = 3 * 3 + 1


@pytest.fixture
def base(tmp_path) -> str:
    return save(tmp_path / "base", llama(), byte_tokenizer())


def _invoke(*command: object) -> str:
    found = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return " ".join(found.output.split())


@pytest.mark.parametrize("adapter", [None, {"rank": 2}], ids=["full", "adapter"])
def test_a_run_is_saved_loaded_evaluated_and_scored(configure, base, tmp_path, adapter):
    run = train(configure({**SCORER, "model": base, "adapter": adapter}))
    data = tmp_path / "pairs.jsonl"
    rows = read_preferences(data)
    loaded = load_scorer(tmp_path / "run")
    scores = run.model.scores(rows)
    assert np.abs(scores).max() > 0.1
    np.testing.assert_allclose(loaded.scores(rows), scores, atol=1e-5)
    np.testing.assert_array_equal(scores[:, 0], -scores[:, 1])
    np.testing.assert_array_equal(
        loaded.probabilities(rows), loaded.to_probabilities(loaded.scores(rows) @ [1, -1])
    )
    with pytest.raises(ConfigurationError, match="judges pairs: a response alone has no reward"):
        loaded.rewards(rows)
    card = (tmp_path / "run" / "README.md").read_text()
    assert "model.probabilities" in card
    if adapter is None:
        plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "run")
        assert plain.config.num_labels == LABELS
        for ours, theirs in zip(
            loaded.prepared.model.parameters(), plain.parameters(), strict=True
        ):
            assert torch.equal(ours, theirs)
    logs = json.loads((tmp_path / "run" / "manifest.json").read_text())["figures"]["log"]
    assert "margin" in logs[0]
    assert not {"chosen_score", "eval_chosen_score"} & set().union(*logs)

    _invoke("score", tmp_path / "run", data, "--output", tmp_path / "scores.jsonl")
    scored = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    np.testing.assert_allclose([one["margin"] for one in scored], scores @ [1, -1], atol=1e-5)
    assert "reward_a" not in scored[0]
    _invoke("evaluate", tmp_path / "run", data, "--output", tmp_path / "report")
    (result,) = json.loads((tmp_path / "report/evaluation.json").read_text())["results"].values()
    right = (np.sign(scores @ [1, -1]) == np.sign(rows.labels - 0.5)).mean()
    assert result["accuracy"]["estimate"] == pytest.approx(right)


def test_an_encoder_has_no_weights_by_prompt(configure, tmp_path):
    place = save(tmp_path / "bert", bert_reward(num_labels=4), bert_tokenizer())
    run = train(configure({"kind": "general-preference", "model": place, "blocks": 2}))
    rows = read_preferences(tmp_path / "pairs.jsonl")
    np.testing.assert_allclose(
        load_scorer(tmp_path / "run").scores(rows), run.model.scores(rows), atol=1e-5
    )
    asked = {"kind": "general-preference", "model": place, "blocks": 2, "prompt_weights": True}
    with pytest.raises(ConfigurationError, match=r"has 6 labels.*classifier with 4"):
        train(configure(asked, output="other"))
    fresh = save(tmp_path / "fresh", bert_reward(num_labels=6), bert_tokenizer())
    with pytest.raises(ConfigurationError, match="reads a text in both directions"):
        train(configure({**asked, "model": fresh}, output="other"))


def test_resumed_it_ends_as_if_it_had_not_stopped(trained, tmp_path):
    def run(folder, **options):
        model = llama_reward(num_labels=LABELS, pad_token_id=2)
        return trained(
            model, general_preference=SKEW, output_dir=str(tmp_path / folder), max_steps=6,
            save_strategy="steps", save_steps=3, **options,
        )  # fmt: skip

    whole = run("whole")
    again = run("whole", resume=str(tmp_path / "whole" / "checkpoint-3"))
    assert again.state.global_step == 6
    for name, value in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value), name


def test_in_python_the_number_of_labels_has_to_fit(trained):
    with pytest.raises(ConfigurationError, match=r"has 10 labels.*num_labels=10"):
        trained(llama_reward(), general_preference=SKEW)
    with pytest.raises(ConfigurationError, match="the model is a policy"):
        trained(gpt2(), general_preference=SKEW)
    with pytest.raises(ConfigurationError, match="did you mean 'blocks'"):
        trained(llama_reward(), general_preference={"block": 2})


def _cycle(n: int, seed: int) -> list[dict]:
    """`good` is preferred to `bad`, `bad` to `great`, and `great` to `good`."""
    words, generator = ("good", "bad", "great"), torch.Generator().manual_seed(seed)
    rows = pairs(n, seed=seed)
    for row in rows:
        first = int(torch.randint(3, (1,), generator=generator))
        row["prompt"] = "question"
        wins = bool(torch.randint(2, (1,), generator=generator))
        row["response_a"] = words[first]
        row["response_b"] = words[(first + (1 if wins else 2)) % 3]
        row["label"] = float(wins)
    return rows


@pytest.mark.slow
def test_it_learns_a_cycle_that_no_reward_can(trained):
    options = {"max_steps": 40, "per_device_train_batch_size": 16, "learning_rate": 3e-3}
    skew = SkewOptions()
    data, held_out = _cycle(96, seed=1), _cycle(60, seed=2)

    def accuracy(labels: int, **more) -> float:
        model = llama_reward(num_labels=labels, pad_token_id=2)
        trainer = trained(model, data, eval_data=held_out, **options, **more)
        return trainer.evaluate()["eval_accuracy"]

    assert accuracy(labels_of(skew), general_preference=skew.model_dump()) > 0.9
    assert accuracy(1) < 0.8  # at most 2/3 of a cycle, and noise
