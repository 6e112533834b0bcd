"""Overwriting a run takes away what runs wrote, and nothing that merely has such a name."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from surefoot.training import clear_run

OURS = json.dumps({"versions": {"surefoot": "0.1"}})


def _write(folder: Path, *files: str) -> None:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(OURS if path.name == "manifest.json" else "x")


def _left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


RUN = (
    *("model.safetensors", "adapter_config.json", "README.md", "config.yaml", "manifest.json"),
    *("checkpoint-2/surefoot-checkpoint.json", "checkpoint-2/model.safetensors"),
    "runs/Jan01_host/events.out.tfevents.1",
)
#: Nothing of a run, though it stands where a run is written to.
YOURS = (
    *("runs/other/deep/precious.txt", "runs/other/manifest.json", "runs/Jan01_host/notes.txt"),
    *("checkpoint-9/model.safetensors", "seed-corn/README.md", "seed-corn/model.safetensors"),
    "pairs.jsonl",
)


@pytest.mark.parametrize("seeds", [False, True])
def test_a_run_is_cleared_and_its_neighbours_stay(tmp_path, seeds):
    _write(tmp_path, *YOURS)
    for folder in [tmp_path / f"seed-{i}" for i in (0, 1)] if seeds else [tmp_path]:
        _write(folder, *RUN)
    clear_run(tmp_path)
    assert _left(tmp_path) == set(YOURS)
    assert not (tmp_path / "checkpoint-2").exists()
    assert not (tmp_path / "seed-0").exists()


@pytest.mark.parametrize("manifest", [None, "{}", '{"versions": 3}', "not json", '["surefoot"]'])
def test_a_folder_without_a_run(tmp_path, manifest):
    """Where a configuration lies in the folder that it writes to, say."""
    kept = ("README.md", "config.yaml", "runs/Jan01_host/events.out.tfevents.1", *YOURS)
    _write(tmp_path, *kept)
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    clear_run(tmp_path)
    assert _left(tmp_path) == set(kept) | ({"manifest.json"} if manifest is not None else set())


def test_a_run_that_was_interrupted(tmp_path):
    """Its checkpoints say whose it is."""
    _write(tmp_path, *(name for name in RUN if name != "manifest.json"))
    clear_run(tmp_path)
    assert _left(tmp_path) == set()


def test_several_processes_clear_at_once(tmp_path):
    for turn in range(20):
        folder = tmp_path / str(turn)
        for seed in range(3):
            _write(folder / f"seed-{seed}", *RUN)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(clear_run, [folder] * 4)) == [None] * 4
        assert _left(folder) == set()
