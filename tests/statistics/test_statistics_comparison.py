from __future__ import annotations

import json

import numpy as np
import pytest
from coverage_worlds import pair_of_models
from scipy import stats

from surefoot.statistics import hierarchical, hierarchical_difference, holm, paired_difference


def test_without_clusters_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 120), rng.normal(size=120)
    found = paired_difference(a, b)
    expected = stats.ttest_rel(a, b)
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx(tuple(interval))


def test_p_value_and_interval_agree():
    rng = np.random.default_rng(1)
    for _ in range(50):
        a, b = rng.integers(0, 2, (2, 100)).astype(float)
        found = paired_difference(a, b, np.arange(100) // 2)
        assert (found.p_value < 0.05) == (found.difference.low * found.difference.high > 0)


def test_few_discordant_items_do_not_reject_too_often():
    rng = np.random.default_rng(2)
    rejected = 0
    for _ in range(2000):
        b = np.ones(400)
        a = b.copy()
        a[rng.choice(400, 4, replace=False)] = 0
        swap = rng.random(400) < 0.5
        found = paired_difference(np.where(swap, a, b), np.where(swap, b, a))
        rejected += found.p_value < 0.05
    assert rejected / 2000 <= 0.06  # the plain t test: .125


def test_the_same_model_twice():
    a = np.random.default_rng(3).integers(0, 2, 100).astype(float)
    found = paired_difference(a, a)
    assert found.p_value == 1
    assert found.difference.low == pytest.approx(-(1 - 0.05 ** (1 / 100)))
    unbounded = paired_difference(3 * a, 3 * a)
    assert unbounded.p_value is None
    assert "spread is unknown" in unbounded.difference.note


def test_minimum_detectable_difference_is_found_four_times_in_five():
    rng = np.random.default_rng(4)

    def compare(gap):
        return paired_difference(rng.normal(gap, 1, 200), np.zeros(200))

    gap = float(np.mean([compare(0.0).minimum_detectable for _ in range(50)]))
    found = np.mean([compare(gap).p_value < 0.05 for _ in range(2000)])
    assert found == pytest.approx(0.8, abs=0.03)


def test_pairs_needed_for_the_minimum_detectable_difference_is_the_present_number():
    rng = np.random.default_rng(5)
    found = paired_difference(rng.normal(size=300), rng.normal(size=300))
    assert found.pairs_needed(found.minimum_detectable) == pytest.approx(300, abs=1)
    assert found.pairs_needed(found.minimum_detectable / 2) == pytest.approx(1200, abs=2)
    with pytest.raises(ValueError, match="difference of 0"):
        found.pairs_needed(0.0)


def test_too_few_clusters():
    found = paired_difference(np.arange(20.0), np.ones(20), np.repeat([0, 1], 10))
    assert found.p_value is None
    assert found.minimum_detectable is None
    assert found.pairs_needed(0.1) is None
    assert "too few" in str(found)


def test_holm_against_the_definition():
    p = np.array([0.01, 0.2, 0.02, 0.9])
    assert holm(p) == pytest.approx([0.04, 0.4, 0.06, 0.9])
    assert holm([]).shape == (0,)


def test_comparison_is_json_ready():
    rng = np.random.default_rng(6)
    found = paired_difference(rng.normal(size=50), rng.normal(size=50)).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["power"] == 0.8


def test_one_seed_covers_items_only():
    values = np.random.default_rng(7).normal(size=(1, 60))
    assert hierarchical(values).covers == "test items (one seed)"
    assert hierarchical_difference(values, 0 * values).difference.covers == "test items (one seed)"


def test_two_seeds_are_refused():
    found = hierarchical(np.random.default_rng(8).normal(size=(2, 60)))
    assert found.low is None
    assert "2 seeds are too few" in found.note


def test_seeds_widen_the_interval_and_it_says_so():
    rng = np.random.default_rng(9)
    items = rng.normal(size=200)
    same = items + 0.01 * rng.normal(size=(5, 200))
    apart = same + np.array([-1, -0.5, 0, 0.5, 1.0])[:, None]
    narrow, wide = hierarchical(same), hierarchical(apart)
    assert narrow.covers == "seeds and test items"
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    alone = stats.t.interval(0.95, 199, items.mean(), stats.sem(items))
    assert narrow.high - narrow.low == pytest.approx(alone[1] - alone[0], rel=0.03)


def test_disjoint_items_are_the_t_interval_of_seed_means():
    rng = np.random.default_rng(10)
    values = [rng.normal(size=n) for n in (50, 60, 70, 80)]
    ids = [np.arange(len(v)) + 1000 * k for k, v in enumerate(values)]
    found = hierarchical(values, ids)
    means = [v.mean() for v in values]
    expected = stats.t.interval(0.95, 3, np.mean(means), stats.sem(means))
    assert (found.low, found.high) == pytest.approx(expected)


def test_lists_of_unequal_seeds_need_clusters():
    with pytest.raises(ValueError, match="give the clusters of each seed"):
        hierarchical([np.zeros(3), np.zeros(4)])
    with pytest.raises(ValueError, match="same seeds"):
        hierarchical_difference(np.zeros((3, 20)), np.zeros((4, 20)))


def test_methods_are_compared_seed_by_seed():
    rng = np.random.default_rng(11)
    shared = rng.normal(size=(6, 1)) + rng.normal(size=(6, 100))
    a, b = shared + 0.5 + 0.1 * rng.normal(size=(6, 100)), shared
    found = hierarchical_difference(a, b)
    assert found.difference.low < 0.5 < found.difference.high
    assert found.difference.high - found.difference.low < 0.1
    assert found.p_value < 1e-4
    assert found.minimum_detectable < 0.1


def test_more_pairs_do_not_mend_too_few_seeds():
    rng = np.random.default_rng(12)
    a = rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=(5, 200))
    assert hierarchical_difference(a, 0 * a).pairs_needed(0.01) is None


def found_at(draw, null=200, repetitions=1000):
    """How often a difference is found that is as large as the tests of no difference promise."""
    gap = float(np.mean([draw(0.0).minimum_detectable for _ in range(null)]))
    return np.mean([draw(gap).p_value < 0.05 for _ in range(repetitions)])


def test_what_is_detectable_where_no_item_differs():
    """Seven items in one direction: with chance .8 a share of .089 of 100 items has that many."""
    rng = np.random.default_rng(13)
    same = paired_difference(np.ones(100), np.ones(100))
    assert same.minimum_detectable == pytest.approx(0.0892, abs=0.0005)
    wins = rng.random((1500, 100)) < same.minimum_detectable
    found = [paired_difference(np.ones(100), 1.0 - w).p_value < 0.05 for w in wins]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
    ids = np.repeat(np.arange(20), 3)
    same = paired_difference(np.ones(60), np.ones(60), ids)
    wins = (rng.random((1000, 20)) < same.minimum_detectable)[:, ids]
    found = [paired_difference(np.ones(60), 1.0 - w, ids).p_value < 0.05 for w in wins]
    assert np.mean(found) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("seed_deviation", [0.0, 0.3])
def test_what_is_detectable_with_three_seeds(seed_deviation):
    rng = np.random.default_rng(14)

    def draw(gap):
        items, noise = 0.5 * rng.normal(size=40), 0.8 * rng.normal(size=(3, 40))
        values = gap + seed_deviation * rng.normal(size=(3, 1)) + items + noise
        return hierarchical_difference(values, 0 * values)

    assert found_at(draw, null=800) == pytest.approx(0.8, abs=0.04)


def test_what_is_detectable_between_two_models_in_clusters():
    rng = np.random.default_rng(15)

    def draw(gap):
        a, b, ids = pair_of_models(rng, 60, equal=False, gap=gap)
        return paired_difference(a, b, ids)

    assert found_at(draw) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("discordance", [0.01, 0.1])
def test_what_is_detectable_where_few_items_differ(discordance):
    """A difference comes from items on which both agreed: the error grows with it."""
    rng = np.random.default_rng(16)

    def draw(gap):
        u = rng.random(200)
        a, b = u < discordance / 2 + gap, (u > discordance / 2 + gap) & (u < discordance + gap)
        return paired_difference(1.0 * a, 1.0 * b)

    assert found_at(draw) == pytest.approx(0.79, abs=0.05)  # stated: .75 to .84


def test_pairs_needed_agrees_with_what_is_detectable_of_right_and_wrong():
    rng = np.random.default_rng(17)
    a, b = rng.integers(0, 2, (2, 400)).astype(float)
    found = paired_difference(a, b)
    assert found.pairs_needed(found.minimum_detectable) == pytest.approx(400, rel=0.01)


def test_weight_zero_removes_the_row_from_a_difference():
    rng = np.random.default_rng(18)
    a, b = rng.normal(size=(2, 60))
    assert paired_difference(a, b, weights=np.repeat([1.0, 0.0], 30)) == paired_difference(
        a[:30], b[:30]
    )
