from __future__ import annotations

import json

import numpy as np
import pytest
from preference_tables import rewards_for, table

from surefoot.errors import DataError
from surefoot.evaluation import compare, evaluate_rewards, holm_over_suites


def test_difference_is_between_the_two_accuracies():
    preferences = table(300)
    a, b = rewards_for(preferences, 0.85, seed=1), rewards_for(preferences, 0.6, seed=2)
    found = compare(a, b, preferences)
    first = evaluate_rewards(a, preferences).accuracy.estimate
    second = evaluate_rewards(b, preferences).accuracy.estimate
    assert found.first.estimate == first
    assert found.accuracy.difference.estimate == pytest.approx(first - second)
    assert found.accuracy.p_value < 1e-6
    assert found.log_loss.difference.estimate < 0
    assert found.accuracy.difference.covers == "test prompts (one seed)"
    assert compare(b, a, preferences).accuracy.difference.estimate == pytest.approx(second - first)


def test_a_model_against_itself():
    preferences = table(100)
    a = rewards_for(preferences)
    assert compare(a, a, preferences).accuracy.p_value == 1


def test_several_seeds_cover_seeds_and_items():
    preferences = table(200)
    a = [rewards_for(preferences, 0.85, seed=s) for s in range(5)]
    b = [rewards_for(preferences, 0.65, seed=s + 50) for s in range(5)]
    found = compare(a, b, preferences)
    assert found.seeds == 5
    assert found.accuracy.difference.covers == "seeds and test prompts"
    assert found.accuracy.difference.low > 0
    assert compare(np.stack(a), np.stack(b), preferences) == found
    with pytest.raises(DataError, match="5 and 4"):
        compare(a, b[:4], preferences)


def test_two_seeds_give_no_interval():
    preferences = table(100)
    a = [rewards_for(preferences, seed=s) for s in range(2)]
    found = compare(a, a, preferences)
    assert found.accuracy.p_value is None
    assert "2 seeds" in found.accuracy.difference.note


def test_groups_are_adjusted_together():
    preferences = table(400, groups=["p", "q"] * 200, sources=["s"] * 400)
    a, b = rewards_for(preferences, 0.8, seed=1), rewards_for(preferences, 0.7, seed=2)
    found = compare(a, b, preferences)
    assert set(found.adjusted) == {"group: p", "group: q", "source: s"}
    for name, adjusted in found.adjusted.items():
        kind, key = name.split(": ")
        raw = (found.groups if kind == "group" else found.sources)[key].p_value
        assert raw <= adjusted <= min(3 * raw, 1) + 1e-12
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()


def test_holm_over_suites_leaves_out_what_has_no_test():
    big, small = table(300), table(5)
    results = {
        "big": compare(rewards_for(big, 0.9), rewards_for(big, 0.5, seed=9), big),
        "other": compare(rewards_for(big, 0.9, seed=3), rewards_for(big, 0.5, seed=8), big),
        "small": compare(rewards_for(small), rewards_for(small, 0.2), small),
    }
    found = holm_over_suites(results)
    assert set(found) == {"big", "other"}
    smaller = min(results[name].accuracy.p_value for name in found)
    assert min(found.values()) == pytest.approx(2 * smaller)


def test_minimum_detectable_difference_falls_with_the_root_of_the_pairs():
    small, large = table(200), table(3200)

    def detectable(preferences):
        a, b = rewards_for(preferences, 0.7, seed=1), rewards_for(preferences, 0.7, seed=2)
        return compare(a, b, preferences).accuracy.minimum_detectable

    assert detectable(small) / detectable(large) == pytest.approx(4, rel=0.15)


def test_probabilities_of_each_side_are_used():
    preferences = table(100)
    a = rewards_for(preferences)
    p = np.where(preferences.labels == 1, 0.9, 0.1)
    found = compare(a, a, preferences, probabilities=p, baseline_probabilities=[1 - p])
    assert found.log_loss.difference.estimate == pytest.approx(np.log(0.1) - np.log(0.9))
    with pytest.raises(DataError, match="2 seeds, rewards of 1"):
        compare(a, a, preferences, probabilities=[p, p])
