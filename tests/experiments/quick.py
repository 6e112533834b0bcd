"""An experiment's quick version, run by the command that its users give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml

from experiments import __main__ as command
from experiments.common import results

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
    """Run an experiment with `quick.yaml`, by its command and without new imports.

    Args:
        name: of the experiment.
        folder: for its results, and in `work` what it keeps.
        suites: the folder of real data, if it needs any.
    """
    with _as_a_command(suites):
        command.main(
            [name, "--config", "quick", "--output", str(folder), "--work", str(folder / "work")]
        )
    return Quick(results.read(folder / "results.json"), (folder / "results.md").read_text())


def again(name: str, folder: Path, suites: Path | None = None) -> dict[str, Any]:
    """The figures of the same once more, which finds its work done."""
    return quick(name, folder, suites).figures


@contextmanager
def _as_a_command(suites: Path | None) -> Iterator[None]:
    """On one thread: where a cell is made anew, equal is equal to the bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    given = {"SUREFOOT_SUITES": str(suites)} if suites else {}
    try:
        with mock.patch.dict(os.environ, given):
            yield
    finally:
        torch.set_num_threads(threads)
