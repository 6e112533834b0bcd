"""The command line of the experiments, and that one command runs them all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command import command, command_with_work

from surefoot.errors import ConfigurationError
from surefoot.options import Options

REPOSITORY = Path(__file__).parents[2]
EXPERIMENTS = REPOSITORY / "experiments"
NAMES = sorted(
    path.stem for path in EXPERIMENTS.glob("*.yaml") if not path.stem.endswith(("-quick", "-pilot"))
)


@pytest.mark.parametrize("name", NAMES)
def test_make_experiments_runs_each_and_each_has_a_quick_version(name):
    rule = (REPOSITORY / "Makefile").read_text().split("\nexperiments:")[1].split("\n\n")[0]
    assert f"experiments/{name}.py experiments/{name}.yaml\n" in rule + "\n"
    assert (EXPERIMENTS / f"{name}-quick.yaml").is_file()


class Counted(Options):
    """An experiment's settings."""

    seeds: int = 3


def test_figures_and_tables_are_named_as_the_configuration(tmp_path, monkeypatch, capsys):
    config = tmp_path / "small.yaml"
    config.write_text("seeds: 4\n")
    monkeypatch.setattr(sys, "argv", ["x.py", str(config), "--output", str(tmp_path / "new")])
    command(Counted, lambda settings: ({"twice": 2 * settings.seeds}, "a table\n"), "About.")
    found = json.loads((tmp_path / "new" / "small.json").read_text())
    assert found == {"settings": {"seeds": 4}, "twice": 8}
    assert (tmp_path / "new" / "small.md").read_text() == "a table\n"
    assert "a table" in capsys.readouterr().out
    config.write_text("seed: 4\n")
    with pytest.raises(ConfigurationError, match="seeds"):
        command(Counted, lambda settings: ({}, ""), "About.")


@pytest.mark.parametrize("given", [[], ["--work", "elsewhere"]], ids=["default", "given"])
def test_the_work_folder_is_named_as_the_configuration_unless_given(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("seeds: 4\n")
    monkeypatch.setattr(sys, "argv", ["x.py", "small.yaml", "--output", "out", *given])
    told: list[Path] = []
    command_with_work(Counted, lambda settings, work: (told.append(work), ({}, ""))[1], "About.")
    assert told == [Path(given[1]) if given else Path("experiments/runs/small")]
