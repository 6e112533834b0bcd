"""Units in runs: clusters that stay, and who got the weight."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from language_models import byte_tokenizer, llama_reward, pairs, save

from surefoot.data import read_preferences
from surefoot.errors import DataError
from surefoot.objectives import Objective, RiskValue
from surefoot.scorers import EmbeddingRewardModel
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.scorers.embeddings.encoder import EncoderOptions, load_encoder
from surefoot.training import RunConfig, prepare, train
from surefoot.training.data import clustered
from surefoot.training.language.monitors import WeightLedger

CLUSTERS = {"kind": "chi-squared", "unit": "cluster", "clusters": 3}


@pytest.fixture
def config(small_encoder, rows, tmp_path) -> RunConfig:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(60, seed=4)))
    return RunConfig(
        data={"train": str(path), "held_out": 0.2},
        scorer={"kind": "embedding", "encoder": small_encoder},
        objective={"risk": CLUSTERS},
        output=str(tmp_path / "run"),
    )


def test_a_run_over_clusters(config, tmp_path):
    said: list[str] = []
    run = train(config, say=said.append)
    assert any(line.startswith("risk over clusters: ") and " in 3 units" in line for line in said)
    figures = json.loads((run.folder / "manifest.json").read_text())["figures"]
    shares = figures["worst_case_weights"]
    kept = PromptClusters.load(run.folder)
    card = (run.folder / "README.md").read_text()
    assert f"| who got the weight | {shares[0]['unit']}: {shares[0]['mass']:.3f} to " in card
    assert {one["unit"] for one in shares} == set(kept.names)
    assert sum(one["mass"] for one in shares) == pytest.approx(1)
    assert sum(one["weight"] for one in shares) == pytest.approx(1)
    value = sum(one["weight"] * one["loss"] for one in shares)
    assert value == pytest.approx(figures["objective"], rel=1e-3)
    again = clustered(prepare(config.data), config)
    np.testing.assert_array_equal(again.clusters.centroids, kept.centroids)
    assert again.held_out.has("cluster")


def test_a_resumed_run_has_the_clusters_of_its_folder(config, tmp_path):
    data = prepare(config.data)
    made = clustered(data, config).clusters
    other = replace(made, centroids=made.centroids[::-1] + 0.01)
    other.save(tmp_path)
    np.testing.assert_array_equal(
        clustered(data, config, tmp_path).clusters.centroids, other.centroids
    )


def test_clusters_of_the_data_are_taken_as_they_are(config, rows, tmp_path):
    path = tmp_path / "own.jsonl"
    lines = [json.dumps({**row, "cluster": "xy"[i % 2]}) for i, row in enumerate(rows(40, seed=5))]
    path.write_text("\n".join(lines) + "\n")
    said: list[str] = []
    data = config.data.model_copy(update={"train": (str(path),)})
    run = train(config.model_copy(update={"data": data}), say=said.append)
    assert any("risk.clusters (3) has no part in it" in line for line in said)
    assert set(run.report.units) == {"x", "y"}
    assert not (run.folder / "clusters.safetensors").exists()


def test_without_the_command_clusters_have_to_be_made(config):
    preferences = read_preferences(config.data.train)
    model = EmbeddingRewardModel(config.scorer, config.objective)
    with pytest.raises(DataError, match="PromptClusters"):
        model.fit(preferences)
    some = preferences.with_columns(cluster=["a", None, *["a"] * (len(preferences) - 2)])
    with pytest.raises(DataError, match=r"'cluster' is not given in 1 of \d+ rows. Add it"):
        model.fit(some)
    encoder = load_encoder(config.scorer.encoder)
    made = PromptClusters.fit(preferences, encoder, 3)
    model.fit(made.beside(preferences, encoder))
    assert len(model.report_.units) == 3


@pytest.mark.slow
def test_a_language_model_over_clusters_and_groups(configure, tmp_path):
    model = save(tmp_path / "model", llama_reward(), byte_tokenizer())
    scorer = {"kind": "reward-model", "model": model}
    run = train(configure(scorer, objective={"risk": {**CLUSTERS, "kind": "kl"}}))
    kept = PromptClusters.load(run.folder)
    assert kept.encoder_key == load_encoder(EncoderOptions()).key
    shares = run.report.shares
    assert run.report.share_steps == 1  # 18 pairs are three steps; the fourth begins an epoch
    assert {one.unit for one in shares} <= set(kept.names)
    assert sum(one.weight for one in shares) == pytest.approx(1)
    written = json.loads((run.folder / "manifest.json").read_text())["figures"]
    assert written["worst_case_weights"] == [one.to_dict() for one in shares]


def test_the_ledger_adds_up_the_steps_of_an_epoch():
    def step(*values):
        mass, weights, losses = (torch.tensor(v, dtype=torch.float64) for v in values)
        return RiskValue(weights[0], weights, weights, mass, losses)

    ledger = WeightLedger()
    ledger.add(0, step([1.0, 0.0], [1.0, 0.0], [9.0, 0.0]))
    ledger.add(1, step([0.5, 0.5], [0.2, 0.8], [1.0, 3.0]))
    ledger, rest = WeightLedger.split({**ledger.state(), "weights": torch.ones(2)})  # a checkpoint
    assert rest.keys() == {"weights"}
    ledger.add(1, step([1.0, 0.0], [1.0, 0.0], [2.0, 0.0]))  # the second unit is absent
    first, second = ledger.shares(["b", "a"]), ledger.steps
    assert second == 2
    by_name = {one.unit: one for one in first}
    assert by_name["b"].mass == pytest.approx(0.75)
    assert by_name["b"].weight == pytest.approx(0.6)
    assert by_name["b"].loss == pytest.approx((0.5 * 1 + 1 * 2) / 1.5)
    assert by_name["a"].loss == pytest.approx(3.0)
    assert WeightLedger().shares(["a"]) == ()


def test_the_trainer_keeps_the_ledger_over_groups(trained):
    data = pairs(12, group=["x", "y", "y"])
    trainer = trained(
        model=llama_reward(), data=data, objective={"risk": {"kind": "kl", "unit": "group"}}
    )
    shares = trainer.ledger.shares(trainer.pairs.unit_names)
    assert trainer.ledger.steps == 3
    assert {one.unit: round(one.mass, 6) for one in shares} == {"x": 0.333333, "y": 0.666667}
    again = trained(model=llama_reward(), data=data, objective=Objective().model_dump())
    assert again.ledger.steps == 0
