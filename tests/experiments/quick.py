"""An experiment's quick version, run as its users run it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "experiments" / "results"


@dataclass(frozen=True)
class Quick:
    """What a quick run printed and wrote."""

    printed: str
    figures: dict[str, Any]
    tables: str


def quick(name: str, output: Path, work: Path | None = None, suites: Path | None = None) -> Quick:
    """Run `experiments/NAME.py` with `NAME-quick.yaml`.

    Args:
        name: of the experiment.
        output: the folder that it writes its results to.
        work: where it keeps what is finished, if it does.
        suites: the folder of real data, if it needs any.
    """
    done = subprocess.run(
        [
            *(sys.executable, f"experiments/{name}.py", f"experiments/{name}-quick.yaml"),
            *("--output", output),
            *(("--work", work) if work else ()),
        ],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            **({"SUREFOOT_SUITES": str(suites)} if suites else {}),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads((output / f"{name}-quick.json").read_text())
    return Quick(done.stdout, figures, (output / f"{name}-quick.md").read_text())


def again(name: str, work: Path, suites: Path | None = None) -> dict[str, Any]:
    """The figures of the same once more, which finds its work done: here, without new imports.

    On one thread, as before: where a cell is made anew, equal is equal to the bit.
    """
    module = importlib.import_module(name)
    configuration = REPOSITORY / "experiments" / f"{name}-quick.yaml"
    settings = module.Settings(**yaml.safe_load(configuration.read_text()))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with mock.patch.dict(os.environ, {"SUREFOOT_SUITES": str(suites)} if suites else {}):
            figures, _ = module.experiment(settings, work)
    finally:
        torch.set_num_threads(threads)
    content = {"settings": settings.model_dump(mode="json"), **figures}
    return dict(json.loads(json.dumps(content)))
