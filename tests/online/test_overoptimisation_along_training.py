"""The law along a run: recovered where it holds, told where it bends, absent where it cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from surefoot.cli.app import app
from surefoot.errors import ConfigurationError
from surefoot.evaluation.policies.overoptimisation.along_training import along_training
from surefoot.evaluation.policies.overoptimisation.law import slopes, terms
from surefoot.online import OnlineConfig
from surefoot.online.training import train_online
from surefoot.scorers import TrainedScorer
from surefoot.training import RunConfig, train


def _history(steps, alpha, beta, most=16.0, noise=0.3, seed=0):
    """Steps whose KL rises evenly, and whose watched gain follows the law but for noise."""
    rng = np.random.default_rng(seed)
    kl = np.linspace(0.01, most, steps)
    gains = terms(kl, "training") @ [alpha, beta] + noise * rng.standard_normal(steps)
    return [
        {"sequence_kl": k, "trained_gain": float(np.sqrt(k)), "watched_gain": g}
        for k, g in zip(kl, gains, strict=True)
    ]


@pytest.mark.parametrize(
    ("alpha", "beta", "words"),
    [
        (1.0, 0.6, "Over-optimised: the watched reward falls"),
        (1.0, 0.1, "No over-optimisation: the watched reward still grows"),
        (1.0, 1.0 / (np.log(4.0) + 1), "The watched reward neither grows nor falls for certain"),
    ],
)
def test_the_law_is_recovered_and_told(alpha, beta, words):
    found = along_training(_history(400, alpha, beta))
    assert found.sentence.startswith(words)
    law = found.law
    assert law.alpha.low <= alpha <= law.alpha.high
    assert law.beta.low <= beta <= law.beta.high
    assert law.slope.estimate == pytest.approx(
        float(slopes(law.last, "training") @ [alpha, beta]), abs=0.1
    )
    assert law.slope.covers == "steps (one seed)"
    assert found.to_dict()["law"]["by"] == "training"


def test_a_peak_inside_the_run_is_told():
    sentence = along_training(_history(400, 1.0, 0.6)).sentence
    assert f"its peak at d = {np.exp(1 / 0.6 - 1):.1f}" in sentence
    assert "the trained reward has gained 3.9" in sentence


def test_the_interval_of_the_slope_covers():
    true = float(slopes(4.0, "training") @ [1.0, 0.4])
    hits = 0
    for seed in range(200):
        slope = along_training(_history(200, 1.0, 0.4, seed=seed)).law.slope
        hits += slope.low <= true <= slope.high
    assert 0.88 <= hits / 200 <= 0.995


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ([], "no reward was watched"),
        ([{"sequence_kl": 1.0}] * 50, "no reward was watched"),
        (_history(29, 1.0, 0.5), "it takes 30 steps; got 29"),
        (
            [{"sequence_kl": 0.0, "trained_gain": 0.0, "watched_gain": 0.1}] * 60,
            "the KL is hardly above 0",
        ),
    ],
)
def test_where_there_is_no_law_the_reason_is_told(history, words):
    found = along_training(history)
    assert found.law is None
    assert words in found.sentence


class Short(TrainedScorer):
    """A checker: the fewer characters, the better."""

    pairwise = False

    def scores(self, preferences):
        return -np.array([[len(text) for text in side] for side in preferences.texts("response")]).T


def _config(policy_folder, tmp_path, small_encoder, rows, **objective):
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(24)))
    reward = RunConfig(
        data={"train": str(tmp_path / "pairs.jsonl")},
        scorer={"kind": "embedding", "encoder": small_encoder, "folds": 2},
        output=str(tmp_path / "reward"),
    )
    train(reward)
    return {
        "data": {"train": str(tmp_path / "pairs.jsonl")},
        "scorer": {"kind": "policy", "model": policy_folder, "precision": "float32"},
        "objective": {
            "kind": "online", "reward": reward.output, "samples": 2, "max_new_tokens": 4,
            "baseline_samples": 2, **objective,
        },
        "training": {
            "prompts_per_step": 2, "micro_batch": 4, "max_steps": 30, "learning_rate": 1e-2,
            "log_every": 10,
        },
        "output": str(tmp_path / "run"),
    }  # fmt: skip


@pytest.mark.slow
def test_a_checker_is_watched_and_the_verdict_kept(policy_folder, tmp_path, small_encoder, rows):
    config = OnlineConfig(**_config(policy_folder, tmp_path, small_encoder, rows))
    done = train_online(config, watch=Short())
    kept = json.loads((tmp_path / "run" / "manifest.json").read_text())["figures"]
    assert kept["over_optimisation"] == json.loads(json.dumps(done.report.along.to_dict()))
    assert kept["over_optimisation"]["law"]["points"] == 3
    assert done.report.along.sentence in (tmp_path / "run" / "README.md").read_text()
    assert len(kept["history"]) == 30
    watched = [one["watched_gain"] for one in kept["history"]]
    assert all(float(value * 4).is_integer() for value in watched)  # lengths of 4 responses


@pytest.mark.slow
def test_the_command_tells_the_verdict(policy_folder, tmp_path, small_encoder, rows, capsys):
    given = _config(policy_folder, tmp_path, small_encoder, rows, watch=str(tmp_path / "reward"))
    given["training"]["max_steps"] = 2
    (tmp_path / "online.yaml").write_text(yaml.safe_dump(given))
    app(args=["train", str(tmp_path / "online.yaml")], standalone_mode=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "No law of over-optimisation was fitted: it takes 30 steps; got 2." in shown


def test_one_reward_is_watched(tmp_path):
    config = OnlineConfig(
        data={"train": "pairs.jsonl"},
        scorer={"kind": "policy", "model": "base"},
        objective={"kind": "online", "reward": "reward", "watch": "other"},
        output=str(tmp_path / "run"),
    )
    with pytest.raises(ConfigurationError, match=r"got objective.watch \(other\) and an object"):
        train_online(config, watch=Short())
