"""The benchmark of audits of reward models: a small run of all of it, and its tables."""

from __future__ import annotations

import json

from benchmarks import models
from surefoot.worlds.models import FAULTS


def test_a_small_run_of_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "PAIRS", (600,))
    models.main(["--worlds", "2", "--power-worlds", "1", "--output", str(tmp_path)])
    found = json.loads((tmp_path / "models.json").read_text())
    assert set(found["power"]) == set(FAULTS)
    for kind, one in found["null"].items():
        assert 0 <= one["audits"] <= 1
        assert ("sureness" in one["tests"]) == (kind != "parts")
    text = (tmp_path / "models.md").read_text()
    assert all(name in text for name in FAULTS)
