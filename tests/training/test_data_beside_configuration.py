"""A folder that holds a configuration and its data is trained from wherever the command is run."""

from __future__ import annotations

import pytest

from surefoot.errors import ConfigurationError
from surefoot.training import RunConfig

TEXT = "data: {train: [pairs.jsonl, 'hub:owner/name']}\noutput: runs/one\n"


@pytest.fixture
def configuration(tmp_path, monkeypatch):
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "config.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "audit" / "config.yaml"


def train(configuration, **overrides):
    return RunConfig.read(configuration, overrides).data.train


def test_files_beside_it_are_found(configuration):
    assert train("audit/config.yaml") == ("pairs.jsonl", "hub:owner/name")
    (configuration.parent / "pairs.jsonl").touch()
    assert train("audit/config.yaml") == ("audit/pairs.jsonl", "hub:owner/name")


def test_files_where_the_command_is_run_stay(configuration):
    (configuration.parents[1] / "pairs.jsonl").touch()
    assert train(configuration)[0] == "pairs.jsonl"


def test_two_files_of_the_name_are_refused_unless_one_is_named(configuration):
    for folder in configuration.parents[:2]:
        (folder / "pairs.jsonl").touch()
    with pytest.raises(ConfigurationError, match="there twice"):
        train(configuration)
    assert train(configuration, **{"data.train": "[other.jsonl]"}) == ("other.jsonl",)


def test_in_its_own_folder_it_is_one_file(configuration, monkeypatch):
    (configuration.parent / "pairs.jsonl").touch()
    monkeypatch.chdir(configuration.parent)
    assert train("config.yaml")[0] == "pairs.jsonl"
