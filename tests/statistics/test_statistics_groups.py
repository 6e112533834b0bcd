from __future__ import annotations

import numpy as np
import pytest

from surefoot.statistics import by_group, mean, worst_group


def make(rng, shares, size=60):
    values = np.concatenate([(rng.random(size) < p).astype(float) for p in shares])
    return values, np.repeat([f"g{k}" for k in range(len(shares))], size)


def test_groups_are_means_of_their_rows():
    values, groups = make(np.random.default_rng(0), [0.4, 0.9])
    found = by_group(values, groups)
    assert list(found) == ["g0", "g1"]
    assert found["g1"] == mean(values[60:])


def test_rows_without_a_group_belong_to_none():
    found = by_group([1.0, 0.0, 1.0], ["a", None, "a"])
    assert list(found) == ["a"]
    assert found["a"].n == 2


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="got 1"):
        by_group([1.0, 0.0], ["a"])


def test_worst_group_interval_is_wider_than_the_naive_one_and_names_the_group():
    values, groups = make(np.random.default_rng(1), [0.8, 0.5, 0.8, 0.8])
    found = worst_group(values, groups)
    assert found.group == "g1"
    naive = mean(values[60:120])
    assert found.value.estimate == naive.estimate
    assert found.value.low < naive.low
    assert found.groups["g1"].level == pytest.approx(1 - 0.05 / 4)


def test_worst_of_equal_groups_still_covers_the_truth():
    """The naive interval of the lowest of 20 equal groups misses; the simultaneous one holds."""
    rng = np.random.default_rng(2)
    held, naive = [], []
    for _ in range(200):
        values, groups = make(rng, [0.7] * 20)
        found = worst_group(values, groups)
        picked = mean(values[groups == found.group])
        held.append(found.value.low <= 0.7 <= found.value.high)
        naive.append(picked.low <= 0.7 <= picked.high)
    assert np.mean(naive) < 0.75
    assert np.mean(held) >= 0.93


def test_small_groups_are_left_out_and_named():
    values, groups = make(np.random.default_rng(3), [0.8, 0.7])
    values = np.append(values, [0.0, 0.0])
    groups = np.append(groups, ["tiny", "tiny"])
    found = worst_group(values, groups)
    assert found.group == "g1"
    assert "tiny" in found.value.note


def test_no_group_can_be_measured():
    found = worst_group([1.0, 0.0], ["a", "b"])
    assert found.group is None
    assert found.to_dict()["value"]["estimate"] is None
    assert "a, b" in found.value.note
