"""The command line of the experiments, and what all of them promise."""

from __future__ import annotations

import re

import pytest
from quick import EXPERIMENTS, REPOSITORY, committed, settings_of

from experiments import __main__ as command
from experiments.common import results
from surefoot.errors import ConfigurationError
from surefoot.options import Options


@pytest.mark.parametrize("name", command.NAMES)
def test_the_committed_results_are_those_of_the_committed_settings(name):
    """So are the tables those of the figures."""
    found, settings = committed(name), settings_of(name)
    assert found["settings"] == settings.model_dump(mode="json")
    module = command.module_of(name)
    assert (EXPERIMENTS / name / "results.md").read_text() == module.markdown(found, settings)


def test_make_experiments_runs_each_and_each_has_a_quick_version():
    rule = (REPOSITORY / "Makefile").read_text()
    assert "$(wildcard experiments/*/experiment.py)" in rule
    assert len(command.NAMES) >= 17
    for name in command.NAMES:
        assert settings_of(name, "quick") != settings_of(name)


@pytest.mark.parametrize("name", [*command.NAMES, "demo"])
def test_each_has_a_readme_with_its_command_minutes_and_page(name):
    text = (EXPERIMENTS / name / "README.md").read_text()
    assert len(text.splitlines()) <= 12
    assert f"python -m experiments {name}`" in text or "surefoot demo" in text
    assert "Minutes: " in text
    for target in re.findall(r"\]\(([^)]+)\)", text):
        place = EXPERIMENTS / name / target
        assert place.exists(), target
        if target.endswith(".md") and "docs" in target:
            assert f"{name}/results.md" in place.read_text() or name == "wasserstein"


class Counted(Options):
    """An experiment's settings."""

    seeds: int = 3


class Counting:
    """Stands for an experiment."""

    Settings = Counted
    work = None

    @classmethod
    def experiment(cls, settings, work):
        cls.work = work
        return {"twice": 2 * settings.seeds, "pair": (1, 2)}

    @staticmethod
    def markdown(figures, settings):
        return f"{figures['twice']} of {settings.seeds}, {figures['pair']}\n"


@pytest.fixture
def counting(tmp_path, monkeypatch):
    """An experiment in a folder of its own."""
    (tmp_path / "counting").mkdir()
    (tmp_path / "counting" / "config.yaml").write_text("seeds: 4\n")
    (tmp_path / "counting" / "quick.yaml").write_text("{}\n")
    (tmp_path / "counting" / "wrong.yaml").write_text("seed: 4\n")
    monkeypatch.setattr(command, "HERE", tmp_path)
    monkeypatch.setattr(command, "NAMES", ["counting"])
    monkeypatch.setattr(command, "module_of", {"counting": Counting}.get)
    return tmp_path


def test_figures_and_tables_lie_beside_the_configuration(counting, capsys):
    command.main(["counting"])
    found = results.read(counting / "counting" / "results.json")
    assert found == {"settings": {"seeds": 4}, "twice": 8, "pair": [1, 2]}
    # Tables are made of the figures as they are kept: a tuple is a list there.
    assert (counting / "counting" / "results.md").read_text() == "8 of 4, [1, 2]\n"
    assert "8 of 4" in capsys.readouterr().out
    assert Counting.work.folder == counting / "runs" / "counting"


def test_other_configurations_do_not_touch_what_is_committed(counting):
    command.main(["counting", "--config", "quick"])
    assert not (counting / "counting" / "results.json").exists()
    found = results.read(counting / "runs" / "counting-quick" / "results.json")
    assert found["twice"] == 6
    assert Counting.work.folder == counting / "runs" / "counting-quick"


def test_places_are_those_that_are_given(counting, tmp_path):
    given = ["--output", str(tmp_path / "new"), "--work", str(tmp_path / "kept")]
    command.main(["counting", *given])
    assert (tmp_path / "new" / "results.json").is_file()
    assert Counting.work.folder == tmp_path / "kept"


def test_a_wrong_option_or_name_is_refused(counting, capsys):
    with pytest.raises(ConfigurationError, match="seeds"):
        command.main(["counting", "--config", "wrong"])
    with pytest.raises(SystemExit):
        command.main(["conting"])
    assert "counting" in capsys.readouterr().err
