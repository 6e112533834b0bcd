"""The experiments on risks: exact balls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "experiments" / "results"


def run(name: str, folder: Path) -> dict:
    script = (f"experiments/{name}.py", f"experiments/{name}-quick.yaml")
    subprocess.run(
        [sys.executable, *script, "--output", folder], cwd=REPOSITORY, check=True, timeout=600
    )
    return json.loads((folder / f"{name}-quick.json").read_text())


def check_exact(worst: dict) -> None:
    for found in worst.values():
        assert found["solver"] <= 2e-8
        assert found["gap"] <= 1e-12
        assert found["outside"] <= 1e-9
        assert found["falls"] <= 1e-12
        assert found["range"] <= 1e-12
        assert found["shift"] <= 1e-12
        assert found["neutral"] <= 1e-12
        assert found["single"] <= 1e-4


@pytest.mark.slow
def test_the_reduced_comparison_with_the_solver(tmp_path):
    check_exact(run("risk_solver", tmp_path)["worst"])


def test_the_committed_comparison_with_the_solver():
    found = json.loads((RESULTS / "risk_solver.json").read_text())
    settings = yaml.safe_load((REPOSITORY / "experiments" / "risk_solver.yaml").read_text())
    assert found["settings"] == settings
    assert set(found["worst"]) == {"tv", "chi-squared", "kl", "cvar"}
    check_exact(found["worst"])


def test_a_gap_tells_weights_that_are_not_the_best():
    import risk_solver as experiment

    x, p = np.array([0.0, 0.4, 1.0]), np.array([0.3, 0.3, 0.4])
    for kind, (_, sizes) in experiment.SIZES.items():
        assert experiment.dual(kind, sizes[3], x, p, p) - p @ x > 0.01
