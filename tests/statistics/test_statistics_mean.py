from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from surefoot.statistics import Estimate, mean
from surefoot.statistics.dependence import Dependence, spread


def test_dictionary_has_exactly_the_promised_keys():
    values = np.random.default_rng(0).random(50)
    keys = ["estimate", "low", "high", "level", "n", "covers"]
    assert list(mean(values).to_dict()) == keys
    assert list(mean(values[:5]).to_dict()) == [*keys, "note"]


def test_format():
    assert f"{Estimate(0.612, 0.59, 0.634, n=9, covers='x')}" == ".612 [.590, .634]"
    assert f"{Estimate(-0.0612, -0.2, 1.25, n=9, covers='x'):.2f}" == "-.06 [-.20, 1.25]"
    assert str(Estimate(0.5, None, None, n=9, covers="x", note="why")) == ".500 (no interval: why)"


def test_independent_binary_is_wilson():
    values = np.repeat([1.0, 0.0], [140, 60])
    found = mean(values)
    low, high = stats.binomtest(140, 200).proportion_ci(method="wilson")
    assert found.low == pytest.approx(low, abs=1e-3)  # t and n - 1 instead of normal and n
    assert found.high == pytest.approx(high, abs=1e-3)


def test_independent_values_give_the_t_interval():
    values = np.random.default_rng(1).normal(size=80)
    expected = stats.t.interval(0.9, 79, values.mean(), stats.sem(values))
    found = mean(values, level=0.9)
    assert (found.low, found.high) == pytest.approx(expected)


def test_equal_clusters_are_the_t_interval_of_cluster_means():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(60, 4)) + rng.normal(size=(60, 1))
    found = mean(values.ravel(), np.repeat(np.arange(60), 4))
    means = values.mean(axis=1)
    expected = stats.t.interval(0.95, 59, means.mean(), stats.sem(means))
    assert (found.low, found.high) == pytest.approx(expected)


def test_copies_in_clusters_do_not_narrow_the_interval():
    values = np.random.default_rng(3).integers(0, 2, 100).astype(float)
    once, copied = mean(values), mean(np.tile(values, 5), np.tile(np.arange(100), 5))
    naive = mean(np.tile(values, 5))
    # a little wider: in clusters the design effect rests on those that hold the rarer value
    assert once.low - 0.002 < copied.low <= once.low
    assert naive.high - naive.low < 0.5 * (once.high - once.low)


def test_weights_count_like_copies_for_the_estimate():
    rng = np.random.default_rng(4)
    values, weights = rng.normal(size=60), rng.integers(1, 5, 60)
    ids = np.repeat(np.arange(60), weights)
    weighted, copied = mean(values, weights=weights), mean(np.repeat(values, weights), ids)
    assert weighted.estimate == pytest.approx(copied.estimate)
    assert weighted.low == pytest.approx(copied.low, rel=1e-6)


def test_weight_zero_removes_the_row():
    rng = np.random.default_rng(5)
    values, weights = rng.normal(size=60), np.repeat([1.0, 0.0], 30)
    assert mean(values, weights=weights) == mean(values[:30])


@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_the_unit_of_weights_is_not_that_of_the_error(unit):
    rng = np.random.default_rng(5)
    values, weights = rng.normal(size=60), rng.random(60)
    one, other = (
        spread(values, Dependence.of(np.arange(60) // 2, 60), k * weights) for k in (1.0, unit)
    )
    assert (one.mean, one.error, one.freedom) == pytest.approx(
        (other.mean, other.error, other.freedom)
    )


def test_dyadic_variance_is_the_sum_over_pairs_that_share_a_node():
    rng = np.random.default_rng(6)
    nodes = rng.integers(0, 12, size=(40, 2))  # with repeats and pairs of a node with itself
    residuals = rng.normal(size=40)
    shares = [[bool(set(p) & set(q)) for q in nodes.tolist()] for p in nodes.tolist()]
    expected = residuals @ np.array(shares, dtype=float) @ residuals
    found = Dependence.of(nodes, 40).gram(residuals[:, None])[0, 0]
    assert found == pytest.approx(expected)


def test_dyadic_error_of_a_complete_tournament_is_unbiased():
    rng = np.random.default_rng(7)
    a, b = np.triu_indices(20, 1)
    dependence = Dependence.of(np.stack([a, b], axis=1), len(a))
    means, variances = [], []
    for _ in range(1500):
        effect = rng.normal(size=20)
        moments = spread(effect[a] + effect[b] + rng.normal(size=190), dependence, np.ones(190))
        means.append(moments.mean)
        variances.append(moments.error**2)
    assert np.mean(variances) == pytest.approx(np.var(means), rel=0.08)
    naive = (2 + 1) / 190
    assert np.mean(variances) > 10 * naive


def test_few_clusters_with_errors_widen_the_interval():
    """Twelve errors in 2 of 100 clusters say less than twelve errors in 12 of them."""
    ids = np.repeat(np.arange(100), 6)
    packed, spread_out = np.ones(600), np.ones(600)
    packed[:12] = 0
    spread_out[:72:6] = 0
    assert mean(packed, ids).low < 0.9 < 0.96 < mean(spread_out, ids).low


def test_one_value_seen_gives_the_exact_interval():
    found = mean(np.ones(40))
    exact = stats.binomtest(40, 40).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, 1.0))
    ties = mean(np.full(40, 0.5))
    assert ties.low == pytest.approx(0.5 - 0.5 * (1 - 0.05 ** (1 / 40)))
    clustered = mean(np.ones(40), np.repeat(np.arange(20), 2))
    assert clustered.low < found.low  # 20 clusters say less than 40 rows


def test_refusals_say_why():
    few = mean(np.arange(90.0), np.repeat(np.arange(9), 10))
    assert few.low is None
    assert few.estimate == pytest.approx(44.5)
    assert "9 independent clusters" in few.note
    assert "spread is unknown" in mean(np.full(40, 3.0)).note
    star = np.stack([np.zeros(30, int), np.arange(1, 31)], axis=1)
    assert "shared by every row" in mean(np.arange(30.0), star).note
    empty = mean([])
    assert (empty.estimate, empty.n) == (None, 0)


def test_cancelling_clusters_are_not_certainty():
    found = mean(np.tile([0.0, 1.0], 30), np.repeat(np.arange(30), 2))
    assert found.high - found.low > 0.2


def test_few_skewed_clusters_get_an_asymmetric_interval():
    found = mean(np.random.default_rng(8).exponential(size=20))
    assert found.high - found.estimate > 1.2 * (found.estimate - found.low)
    assert found == mean(np.random.default_rng(8).exponential(size=20))  # the seed is fixed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1.0, np.nan]}, "finite; got nan at position 1"),
        ({"values": [[1.0]]}, "shape"),
        ({"values": [1.0, 2.0], "clusters": [1]}, "got \\(1,\\)"),
        ({"values": [1.0, 2.0], "weights": [-1.0, 1.0]}, "weights"),
        ({"values": [1.0, 2.0], "clusters": [0.0, np.nan]}, "a cluster is NaN"),
        ({"values": [1.0, 2.0], "level": 95}, "between 0 and 1"),
    ],
)
def test_wrong_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        mean(**arguments)
