"""Whatever became of a file of a run, reading the run is one message, never a traceback."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from language_models import CHAT, byte_tokenizer, llama, llama_reward, pairs, save

from surefoot.cli.inputs import load_models, run_folders
from surefoot.data import Preferences
from surefoot.errors import SurefootError
from surefoot.runs import claim
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.training import RunConfig, train
from surefoot.training.folder import saved_prompts, saved_seed

pytestmark = pytest.mark.filterwarnings("ignore")

LANGUAGE = {"precision": "float32", "max_length": 96}
STEPS = {"max_steps": 1, "pairs_per_step": 4, "micro_batch_pairs": 4}
ADAPTER = {"rank": 2, "targets": ["q_proj"]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small_encoder):
    """A run folder of each kind."""
    place = tmp_path_factory.mktemp("whole")
    data = place / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(40)))
    policy = save(place / "policy", llama(), byte_tokenizer(CHAT))
    reward = save(place / "reward", llama_reward(), byte_tokenizer())
    scorers = {
        "heads": {"kind": "embedding", "encoder": {"name": small_encoder, "precision": "float32"}},
        "reward model": {"kind": "reward-model", "model": reward, **LANGUAGE},
        "policy": {"kind": "policy", "model": policy, **LANGUAGE},
        "adapter": {"kind": "policy", "model": policy, "adapter": ADAPTER, **LANGUAGE},
    }
    for name, scorer in scorers.items():
        options = {"train": str(data), "held_out": 0.2}
        objective = {"risk": {"kind": "cvar", "unit": "cluster", "clusters": 2}}
        train(
            RunConfig(
                data=options,
                scorer=scorer,
                objective=objective if name == "heads" else {},
                training={} if name == "heads" else STEPS,
                output=str(place / "runs" / name),
            )
        )
    return place / "runs"


def _nulls(path: Path) -> None:
    """Every value of the first level, and then every key."""
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict.fromkeys(content)))


def _without(key: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        content.pop(key)
        path.write_text(json.dumps(content))

    return damage


def _null(key: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {key: None}))

    return damage


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


ANY = {
    "cut": _cut,
    "empty": lambda path: path.write_bytes(b""),
    "missing": Path.unlink,
    "a folder": _folder_instead,
    "other bytes": lambda path: path.write_bytes(b"\xff\x00\xfe" * 40),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
OF_JSON = {
    "null": lambda path: path.write_text("null"),
    "a list": lambda path: path.write_text("[1]"),
    "a text": lambda path: path.write_text('"x"'),
    "no keys": lambda path: path.write_text("{}"),
    "nulls": _nulls,
    "deep": lambda path: path.write_text("[" * 100_000),
}


def _damages(path: Path) -> dict[str, Callable[[Path], None]]:
    found = dict(ANY)
    if path.suffix == ".json":
        found |= OF_JSON
    if path.name in ("surefoot.json", "surefoot-run.json", "adapter_config.json", "config.json"):
        content = json.loads(path.read_text())
        keys = list(content) if path.name.startswith("surefoot") else list(content)[:6]
        found |= {f"without {key}": _without(key) for key in keys}
        found |= {f"{key}: null": _null(key) for key in keys}
    return found


def _read(folder: Path, preferences: Preferences) -> None:
    """What evaluate asks of a run."""
    (model,) = load_models(str(folder))
    run_folders(str(folder))
    saved_prompts(folder)
    saved_seed(folder)
    if PromptClusters.has(folder):
        PromptClusters.load(folder)
    assert np.isfinite(model.probabilities(preferences)).all()


def _outcome(folder: Path, preferences: Preferences) -> str:
    try:
        _read(folder, preferences)
    except SurefootError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["heads", "reward model", "policy", "adapter"])
def test_every_damage_of_every_file(whole, tmp_path, kind):
    preferences = Preferences.from_rows(pairs(2))
    assert _outcome(whole / kind, preferences) == ""
    told = tried = 0
    for path in sorted(p for p in (whole / kind).iterdir() if p.is_file()):
        for name, damage in _damages(path).items():
            folder = tmp_path / "run"
            shutil.copytree(whole / kind, folder)
            damage(folder / path.name)
            with warnings.catch_warnings():
                said = _outcome(folder, preferences)
            assert not said or str(folder) in said, (path.name, name, said)
            assert "\n" not in said, (path.name, name, said)
            told, tried = told + bool(said), tried + 1
            shutil.rmtree(folder)
    assert tried > 60
    assert told > tried / 2


def test_a_run_of_an_older_version_is_taken_where_it_is_whole(whole, tmp_path):
    preferences = Preferences.from_rows(pairs(2))
    folder = tmp_path / "run"
    shutil.copytree(whole / "heads", folder)
    (folder / "surefoot-run.json").unlink()
    with pytest.warns(UserWarning, match="left no mark at the end of a run; all its pieces"):
        _read(folder, preferences)
    (folder / "training-prompts.safetensors").unlink()
    assert "training-prompts.safetensors missing" in _outcome(folder, preferences)


def test_what_was_not_finished_is_read_by_nobody(whole, tmp_path):
    """Neither as a run, nor as what another run is made from."""
    preferences = Preferences.from_rows(pairs(2))
    for kind in ("heads", "reward model", "policy"):
        folder = tmp_path / kind
        shutil.copytree(whole / kind, folder)
        with claim(folder, "train", resume=True) as run:
            run.begin()
        assert "was not finished" in _outcome(folder, preferences)
        (folder / "surefoot.json").unlink()  # killed before it was written
        assert "was not finished" in _outcome(folder, preferences)
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(8)))
    config = RunConfig(
        data={"train": str(data)},
        scorer={"kind": "policy", "model": str(tmp_path / "policy"), **LANGUAGE},
        training=STEPS,
        output=str(tmp_path / "next"),
    )
    with pytest.raises(SurefootError, match="policy was not finished"):
        train(config)
    assert not (tmp_path / "next").exists()
