"""An experiment's quick version, run as its users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml

from experiments.common import results
from experiments.common.work import Work

REPOSITORY = Path(__file__).parents[2]
EXPERIMENTS = REPOSITORY / "experiments"


@dataclass(frozen=True)
class Quick:
    """What a quick run wrote."""

    figures: dict[str, Any]
    tables: str


def settings_of(name: str, config: str = "config") -> Any:
    """An experiment's settings, by a configuration in its folder."""
    given = yaml.safe_load((EXPERIMENTS / name / f"{config}.yaml").read_text())
    return import_module(f"experiments.{name}.experiment").Settings(**given)


def committed(name: str) -> dict[str, Any]:
    """An experiment's figures."""
    return results.read(EXPERIMENTS / name / "results.json")


def quick(name: str, folder: Path, suites: Path | None = None) -> Quick:
    """Run an experiment with `quick.yaml`, as a command.

    Args:
        name: of the experiment.
        folder: for its results, and in `work` what it keeps.
        suites: the folder of real data, if it needs any.
    """
    command = [sys.executable, "-m", "experiments", name, "--config", "quick"]
    done = subprocess.run(
        [*command, "--output", folder, "--work", folder / "work"],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | _suites(suites),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Quick(results.read(folder / "results.json"), (folder / "results.md").read_text())


def again(name: str, folder: Path, suites: Path | None = None) -> dict[str, Any]:
    """The figures of the same once more, which finds its work done: here, without new imports.

    On one thread, as before: where a cell is made anew, equal is equal to the bit.
    """
    settings = settings_of(name, "quick")
    module = import_module(f"experiments.{name}.experiment")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with mock.patch.dict(os.environ, _suites(suites)):
            figures = module.experiment(settings, Work(folder / "work"))
    finally:
        torch.set_num_threads(threads)
    return results.parsed(
        results.written({"settings": settings.model_dump(mode="json"), **figures})
    )


def _suites(folder: Path | None) -> dict[str, str]:
    return {"SUREFOOT_SUITES": str(folder)} if folder else {}
