from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks import power as script
from experiments.common import results
from surefoot.statistics import hierarchical, hierarchical_difference, holm, paired_difference
from surefoot.statistics.power import Discordance, SignTest, TTest


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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [11, 12, 33, 101])
def test_what_is_detectable_asks_nothing_that_scipy_gives_up(n):
    right = np.arange(n) % 2 * 1.0
    assert 0 < paired_difference(right, 1 - right).minimum_detectable < 1


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


def test_no_values_are_no_error_and_some_seeds_without_are():
    """As of a single model: data in which every pair is a tie have no accuracy."""
    none = np.zeros((3, 0))
    assert hierarchical(none).note == "there are no values"
    assert hierarchical_difference(none, none).p_value is None
    with pytest.raises(ValueError, match="without values where others"):
        hierarchical([np.zeros(0), np.zeros(4)], [np.zeros(0), np.arange(4)])


def test_no_p_value_is_0():
    rng = np.random.default_rng(19)
    assert 0 < paired_difference(rng.normal(50, 1, 4000), np.zeros(4000)).p_value < 1e-200
    assert 0 < paired_difference(np.ones(4000), np.zeros(4000)).p_value < 1e-200


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


@pytest.mark.parametrize("traded", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_power_of_right_and_wrong_is_that_of_the_test_over_all_outcomes(share, traded):
    """Every possible table of 30 rows goes through the test, weighted by the multinomial law."""
    rows, gap = 30, 0.3
    seen = Discordance(0.0, math.sqrt(share / (rows - 1)), share, 1.0)
    better = max(share / 2 + (gap / 2 if traded else gap), gap)
    worse = max(share / 2 - (gap / 2 if traded else 0.0), 0.0)
    law = stats.multinomial(rows, [better, worse, 1 - better - worse])
    total = 0.0
    for up in range(rows + 1):
        for down in range(rows + 1 - up):
            a = np.repeat([1.0, 0.0, 0.0], [up, down, rows - up - down])
            b = np.repeat([0.0, 1.0, 0.0], [up, down, rows - up - down])
            chance = law.pmf([up, down, rows - up - down])
            if chance > 1e-9 and paired_difference(a, b).p_value < 0.05:
                total += chance
    test = SignTest(seen, rows, rows, 1.0, rows - 1, rows - 1, 0.95)
    assert test.power(gap, rows, new=not traded) == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize("freedom", [1, 2, 9, 60])
def test_power_of_real_values_is_that_of_the_noncentral_t(freedom):
    limit = stats.t.ppf(0.975, freedom)
    for gap in (1.0, 3.0, 6.0):
        beyond = stats.nct.sf(limit, freedom, gap) + stats.nct.cdf(-limit, freedom, gap)
        found = TTest(1.0, freedom, 0.95).power(np.array([gap]), np.ones(1), new=True)
        assert found == pytest.approx(beyond, abs=5e-3)


@pytest.mark.parametrize("shared", [0.2, 1.0, 5.0])
def test_power_over_three_seeds_is_that_of_tests_which_estimate_their_freedom(shared):
    rng = np.random.default_rng(14)
    between, doubt = rng.chisquare(2, 200_000) / 2, 0.05 * shared**2
    freedom = np.maximum((between + shared) ** 2 / (between**2 / 2 + doubt), 1)
    drawn = 5.0 + math.sqrt(1 + shared) * rng.normal(size=200_000)
    limit = stats.t.ppf(0.975, freedom) * np.sqrt(between + shared)
    test = TTest(1.0, 2, 0.95, shared, doubt)
    found = test.power(np.array([5.0]), np.ones(1), new=True)
    assert found == pytest.approx(np.mean(np.abs(drawn) > limit), abs=0.005)


def test_what_three_seeds_state_is_right_in_the_mean():
    """Of one variance between seeds; what is seen of it varies by chi-squared over 2."""
    drawn = np.random.default_rng(15).chisquare(2, 2000) / 2
    for shared in (0.0, 0.5):
        stated = [TTest(w, 2, 0.95, shared, 0.1 * shared).detectable() for w in drawn[:400]]
        test = TTest(1.0, 2, 0.95, shared, 0.1 * shared)
        found = test.power(np.array([np.mean(stated)]), np.ones(1), new=True)
        assert found == pytest.approx(0.8, abs=0.025)


def test_trading_errors_takes_a_smaller_difference():
    rng = np.random.default_rng(16)
    a, b = rng.integers(0, 2, (2, 200)).astype(float)
    found = paired_difference(a, b)
    assert 0.8 * found.minimum_detectable < found.traded < found.minimum_detectable
    assert found.to_dict()["minimum_detectable_traded"] == found.traded
    real = paired_difference(rng.normal(size=50), np.zeros(50))
    assert real.traded is None
    assert "minimum_detectable_traded" not in real.to_dict()


def test_what_takes_more_rows_than_differ_is_not_stated_as_traded():
    """Of 200 rows ten differ: to be found, nine of them or ten would have to go one way."""
    up, down = np.repeat([[1.0], [0.0]], 5, axis=1), np.repeat([[0.0], [1.0]], 5, axis=1)
    few = np.hstack([up, down, np.ones((2, 190))])
    many = np.hstack([up, down, up, down, up, down, np.ones((2, 170))])
    assert paired_difference(*few).traded is None
    assert "minimum_detectable_traded" not in paired_difference(*few).to_dict()
    assert 0 < paired_difference(*many).traded < 0.7 * 30 / 200


def test_what_rests_on_few_clusters_is_said_to_be_approximate():
    ids = np.repeat(np.arange(20), 5)
    a, b = np.ones((2, 100))
    a[[0, 10, 11, 20]], b[[30, 31, 40, 50]] = 0, 0
    found = paired_difference(a, b, ids)
    assert found.approximate
    assert "detects about " in str(found)
    assert "few clusters" in found.to_dict()["minimum_detectable_note"]
    rows = paired_difference(a, b)
    assert not rows.approximate
    assert "minimum_detectable_note" not in rows.to_dict()


@pytest.mark.parametrize("freedom", [5, 9, 19, 60])
def test_an_error_that_few_clusters_show_takes_what_a_t_test_takes(freedom):
    """Against the exact power of a t test, over that of a known error with the same quantile."""
    seen = Discordance(0.0, 0.01, 0.1, 1.0)
    unsure, sure = (
        SignTest(seen, 1000, 1000, 1.0, 999, known, 0.95).detectable() for known in (freedom, 1e9)
    )
    known = stats.t.ppf(0.975, freedom) + stats.norm.ppf(0.8)
    expected = TTest(1.0, freedom, 0.95).detectable() / known
    assert unsure / sure == pytest.approx(expected, rel=0.003)


def test_clusters_that_differ_are_counted_as_rows_in_them_come_to_differ():
    """Independent rows in clusters of three, simulated; .41 if each cluster were one row."""
    rng, ids, gap = np.random.default_rng(20), np.repeat(np.arange(12), 3), 0.25
    place = rng.random((2000, 36))
    first, second = (place >= 0.05).astype(float), (place < 1 - gap - 0.05).astype(float)
    found = [
        paired_difference(a, b, ids).p_value < 0.05 for a, b in zip(first, second, strict=True)
    ]
    seen = Discordance(0.0, math.sqrt(0.1 / 35), 0.1, 1.0)
    test = SignTest(seen, 36, 12, 3.0, 11, 1e9, 0.95)
    assert test.power(gap, 36, new=True) == pytest.approx(np.mean(found), abs=0.025)


KEPT = Path(script.__file__).parent / "results"
COMMITTED = results.read(KEPT / "power.json")


def test_what_is_detectable_was_found_in_77_to_83_percent():
    assert COMMITTED["repetitions"] >= 2000
    assert set(COMMITTED["cells"]) == set(script.WORLDS)
    for name, one in COMMITTED["cells"].items():
        if one["plain"] >= script.PROMISED:
            assert script.LEAST <= one["found"] <= script.MOST, name
        elif "found" in one:
            assert 0.7 <= one["found"] <= 0.9, name
    plain = {name for name, one in COMMITTED["cells"].items() if one["plain"] >= script.PROMISED}
    assert all(
        name in plain for name in script.WORLDS if "traded" not in name and "20 c" not in name
    )
    assert script.table(COMMITTED) == (KEPT / "power.md").read_text()


@pytest.mark.parametrize(
    "values", ["200 rows, 0.1 differ, traded", "20 clusters (five), 0.3 differ, new"]
)
def test_the_benchmark_of_power_can_be_repeated(values):
    name = f"right or wrong, {values}"
    cell = script.cell(script.WORLDS[name], repetitions=300, seed=0)
    assert cell["found"] == pytest.approx(COMMITTED["cells"][name]["found"], abs=0.07)
    assert cell["difference"] == pytest.approx(COMMITTED["cells"][name]["difference"], rel=0.05)


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
