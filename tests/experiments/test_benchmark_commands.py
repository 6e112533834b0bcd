"""The benchmark of trainers hands its options on to its children whole."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "trainer.py"


@pytest.fixture(scope="module")
def trainer():
    spec = importlib.util.spec_from_file_location("trainer_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--json", "figures.json", "--bf16", "--task", "reward"],
        ["--reference=live", "--steps=3", "--max-length", "64"],
    ],
    ids=" ".join,
)
def test_a_child_has_the_options_of_its_parent(trainer, given):
    options = trainer._options(given)
    python, script, *rest = trainer._command("trl", "a folder", options)
    assert (python, script) == (sys.executable, str(SCRIPT))
    found = vars(trainer._options(rest))
    assert found == vars(options) | {"child": "trl", "folder": "a folder"}
