"""Runs of language models from a configuration: folders, resuming, evaluation, other origins."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from language_models import (
    CHAT,
    bert_reward,
    bert_tokenizer,
    byte_tokenizer,
    llama,
    pairs,
    save,
)
from peft import AutoPeftModelForSequenceClassification
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from surefoot.data import Preferences, read_preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers import LanguageModel, load_scorer
from surefoot.training import (
    LanguageTrainingOptions,
    PreferenceTrainer,
    RunConfig,
    train,
    train_seeds,
)


def test_a_policy_run(configure, policy, tmp_path):
    config = configure({"kind": "policy", "model": policy})
    run = train(config)
    folder = tmp_path / "run"
    assert run.report.steps == 4
    assert run.report.held_out_accuracy.n == 6
    files = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "surefoot.json"} <= files
    assert {"config.yaml", "manifest.json", "README.md", "held-out.jsonl"} <= files
    assert not any(name.startswith("checkpoint") for name in files)
    plain = AutoModelForCausalLM.from_pretrained(folder)  # an ordinary folder
    for ours, theirs in zip(run.model.prepared.model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["figures"]["steps"] == 4
    assert manifest["figures"]["cuts"]["rows"] == 18
    again = RunConfig.read(folder / "config.yaml")
    assert again == config


def test_a_loaded_policy_scores_as_the_trained_one(configure, policy, tmp_path):
    run = train(configure({"kind": "policy", "model": policy}))
    held_out = read_preferences(tmp_path / "run" / "held-out.jsonl")
    loaded = load_scorer(tmp_path / "run")
    np.testing.assert_allclose(loaded.rewards(held_out), run.model.rewards(held_out), atol=1e-5)
    sample = read_preferences(tmp_path / "pairs.jsonl")
    rewards = loaded.rewards(sample)
    np.testing.assert_allclose(
        loaded.probabilities(sample), loaded.to_probabilities(rewards[:, 0] - rewards[:, 1])
    )


def test_a_policy_whose_reference_changed_is_refused(configure, policy, tmp_path):
    train(configure({"kind": "policy", "model": policy}))
    llama(seed=5).save_pretrained(policy)
    with pytest.raises(ConfigurationError, match="not the reference"):
        load_scorer(tmp_path / "run")


def test_an_adapter_run_keeps_its_reference_inside(configure, policy, tmp_path):
    scorer = {"kind": "policy", "model": policy, "adapter": {"rank": 2}}
    run = train(configure(scorer))
    assert (tmp_path / "run" / "adapter_model.safetensors").is_file()
    held_out = read_preferences(tmp_path / "run" / "held-out.jsonl")
    loaded = LanguageModel.load(tmp_path / "run")
    np.testing.assert_allclose(loaded.rewards(held_out), run.model.rewards(held_out), atol=1e-5)


@pytest.mark.parametrize("adapter", [None, {"rank": 2}])
def test_a_reward_model_run_is_what_transformers_reads(configure, tmp_path, adapter):
    place = save(tmp_path / "bert", bert_reward(), bert_tokenizer())
    run = train(configure({"kind": "reward-model", "model": place, "adapter": adapter}))
    rows = read_preferences(tmp_path / "pairs.jsonl").select([0, 1, 2])
    plain = (
        AutoPeftModelForSequenceClassification if adapter else AutoModelForSequenceClassification
    )
    model = plain.from_pretrained(tmp_path / "run", num_labels=1).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run")
    texts = [
        f"{p[0]['content']}\n\n{r[0]['content']}"
        for p, *both in rows.read("prompt", "response_a", "response_b")
        for r in both
    ]
    with torch.no_grad():
        theirs = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.view(-1, 2)
    np.testing.assert_allclose(run.model.raw_scores(rows), theirs.numpy(), atol=1e-4)


def test_a_saved_model_that_scores_differently_is_refused(configure, tmp_path, monkeypatch):
    """As if the head had not been saved."""
    place = save(tmp_path / "bert", bert_reward(), bert_tokenizer())
    load = AutoModelForSequenceClassification.from_pretrained

    def spoilt(where, **options):
        model = load(where, **options)
        if Path(where).name == "run":
            torch.nn.init.ones_(model.classifier.weight)
        return model

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", spoilt)
    with pytest.raises(Exception, match="gives other scores"):
        train(configure({"kind": "reward-model", "model": place}))


def test_seeds_differ_and_are_repeatable(configure, policy, tmp_path):
    config = configure({"kind": "policy", "model": policy})
    both = train_seeds(
        [config.for_seed(seed, str(tmp_path / f"seeds/seed-{seed}")) for seed in (0, 1)]
    )
    again = train(config.for_seed(1, str(tmp_path / "again")))
    first, second, repeated = (
        next(run.model.prepared.model.parameters()) for run in (*both, again)
    )
    assert not torch.equal(first, second)
    assert torch.equal(second, repeated)


def test_resuming_ends_where_the_whole_run_ends(configure, policy, monkeypatch):
    whole = train(configure({"kind": "policy", "model": policy}, {"save_every": 2}, "whole"))
    config = configure({"kind": "policy", "model": policy}, {"save_every": 2}, "cut")

    step = PreferenceTrainer.training_step

    def until_the_third(self, *given, **named):
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return step(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(PreferenceTrainer, "training_step", until_the_third)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    resumed = train(config, resume=True)
    for a, b in zip(
        whole.model.prepared.model.parameters(),
        resumed.model.prepared.model.parameters(),
        strict=True,
    ):
        assert torch.equal(a, b)


def test_nothing_to_resume_from(configure, policy):
    with pytest.raises(ConfigurationError, match="no checkpoint"):
        train(configure({"kind": "policy", "model": policy}), resume=True)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.bootstrap": "true"}, "unknown option"),
        ({"training.pairs_per_step": "0"}, "got 0"),
        ({"training.learning_rate": "fast"}, "got 'fast'"),
        ({"scorer.beta": "-0.1"}, "got -0.1"),
        ({"scorer.model": "''"}, "model"),
        ({"scorer.adapter.rank": "0"}, "got 0"),
        ({"scorer.adapter.rnk": "3"}, "did you mean 'rank'"),
        ({"scorer.head": "linear"}, "unknown option"),
    ],
)
def test_wrong_options_fail_before_anything_runs(configure, policy, tmp_path, overrides, message):
    path = tmp_path / "config.yaml"
    path.write_text(configure({"kind": "policy", "model": policy}).to_yaml())
    with pytest.raises(ConfigurationError, match=message):
        RunConfig.read(path, overrides)


def test_an_embedding_run_takes_no_options_of_language_models(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"data": {"train": "x"}, "output": "y"}))
    with pytest.raises(ConfigurationError, match="epochs"):
        RunConfig.read(path, {"training.epochs": "2"})


def test_steps_that_no_micro_batch_divides(configure, policy):
    config = configure({"kind": "policy", "model": policy}, {"micro_batch_pairs": 3})
    with pytest.raises(ConfigurationError, match="multiple of"):
        train(config)


def test_learning_rate_by_default(configure, policy):
    auto = LanguageTrainingOptions()
    rates = [
        auto.rate(configure({"kind": kind, "model": policy, "adapter": adapter}).scorer)
        for kind in ("policy", "reward-model")
        for adapter in (None, {})
    ]
    assert rates == pytest.approx([1e-6, 1e-5, 1e-5, 1e-4])


class TestOtherOrigins:
    def test_a_reward_model_of_transformers(self, tmp_path):
        place = save(tmp_path / "bert", bert_reward(), bert_tokenizer())
        rows = Preferences.from_rows(pairs(4))
        found = load_scorer(place)
        assert found.rewards(rows).shape == (4, 2)
        assert found.member_scores(rows).shape == (4, 2, 1)

    def test_a_policy_needs_a_reference(self, policy, tmp_path):
        with pytest.raises(ConfigurationError, match="--reference"):
            load_scorer(policy)
        other = save(tmp_path / "other", llama(seed=3), byte_tokenizer(CHAT))
        rows = Preferences.from_rows(pairs(4))
        forward = load_scorer(other, reference=policy).rewards(rows)
        backward = load_scorer(policy, reference=other).rewards(rows)
        np.testing.assert_allclose(forward, -backward, atol=1e-5)

    def test_a_reward_model_has_no_reference(self, policy, tmp_path):
        place = save(tmp_path / "bert", bert_reward(), bert_tokenizer())
        with pytest.raises(ConfigurationError, match="has no reference"):
            load_scorer(place, reference=policy)

    def test_a_model_without_a_head(self, small_encoder):
        with pytest.raises(ConfigurationError, match="neither a sequence classifier"):
            load_scorer(small_encoder)

    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(ConfigurationError, match=r"no config\.json"):
            load_scorer(tmp_path)
