"""DRPO's value with right and wrong nuisances: the reduced run, and what the committed one says."""

from __future__ import annotations

import pytest
from quick import committed, quick

UNBIASED = ("both right", "wrong preference", "wrong reference")


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    done = quick("policy_value", tmp_path)
    found = done.figures
    counts = [str(n) for n in found["settings"]["counts"]]
    for name in UNBIASED:
        at = found["mse"][name]["doubly robust"]
        fall = at[counts[0]]["estimate"] / at[counts[-1]]["estimate"]
        assert 4 < fall < 16  # 8 times the records; few worlds, heavy tails
        assert found["bias_squared"][name]["doubly robust"]["estimate"] == 0
    wrong = found["mse"]["both wrong"]["doubly robust"]
    assert wrong[counts[-1]]["estimate"] > 0.5 * wrong[counts[0]]["estimate"]
    table = done.tables
    assert "doubly robust, both wrong" in table


def test_what_was_expected_holds_in_the_committed_results():
    found = committed("policy_value")
    for name in UNBIASED:
        slope = found["slope"][name]["doubly robust"]
        assert slope["low"] < -1 < slope["high"]
    slope = found["slope"]["both wrong"]["doubly robust"]
    assert slope["low"] > -0.2
    last = str(max(found["settings"]["counts"]))
    for estimator, name in (
        ("doubly robust", "both wrong"),
        ("direct", "wrong preference"),
        ("importance", "wrong reference"),
    ):
        limit = found["bias_squared"][name][estimator]["estimate"]
        assert found["mse"][name][estimator][last]["estimate"] == pytest.approx(limit, rel=0.03)
    best = found["mse"]["both right"]
    assert best["doubly robust"][last]["high"] < best["importance"][last]["low"]
    for name in UNBIASED:
        held = found["coverage"][name]["doubly robust"]["estimate"]
        assert 0.93 <= held <= 0.97
    assert found["coverage"]["both wrong"]["doubly robust"]["high"] < 0.5
    for part in found["ratios"].values():
        for name in ("both right", "wrong reference"):
            importance = {how: cell["importance"] for how, cell in part["mse"][name].items()}
            assert importance["self-normalised"]["high"] < importance["as they are"]["low"]
        right = {how: cell["importance"] for how, cell in part["mse"]["both right"].items()}
        assert right["clipped to [0.04, 2.5]"]["low"] > right["as they are"]["high"]
