"""Intervals of skewed and of bounded values, and what the benchmark measured of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks import intervals as script
from benchmarks.worlds import WORLDS
from experiments.common import results
from surefoot.statistics import SHARE, Estimate, Range, hierarchical, log_loss, mean
from surefoot.statistics import paired_difference as paired
from surefoot.statistics.dependence import Spread
from surefoot.statistics.intervals import skewed, unskewed


def test_one_outlier_gives_a_finite_interval_near_the_exact_one():
    """One of 40 values is large: like one event in 40, whose exact upper end is .0667."""
    values = np.array([0.001] * 39 + [0.5])
    found = mean(values)
    shares = stats.binomtest(1, 40).proportion_ci(method="exact")
    low, high = (0.001 + 0.499 * share for share in shares)
    assert high < found.high < 1.1 * high
    assert found.high < mean(values, within=SHARE).high < 1.3 * high
    assert 0.001 < mean(values, within=SHARE).low < low


def test_an_interval_of_skewed_values_mirrors_and_the_test_inverts_it():
    """Of exponential values the upper end lies further out; mirrored values mirror the interval."""
    values = np.random.default_rng(0).exponential(size=60)
    found, turned = mean(values), mean(-values)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    t = stats.t.interval(0.95, 59, values.mean(), stats.sem(values))
    assert found.high > t[1]
    assert found.low > t[0]
    for end in (found.low, found.high):
        assert paired(values, np.full(60, end)).p_value == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("k", [1, 2, 5, 20, 200])
def test_the_interval_of_a_count_is_garwoods(k):
    """A mean with the skewness of a Poisson count of k; normal quantiles, as Garwood's has."""
    found = skewed(Spread(k, math.sqrt(k), 1e9, 1 / math.sqrt(k)), 0.95)
    exact = stats.chi2.ppf(0.025, 2 * k) / 2, stats.chi2.ppf(0.975, 2 * (k + 1)) / 2
    assert found == pytest.approx(exact, abs=0.025)


@given(skewness=st.floats(-1, 1), freedom=st.floats(1, 1e4), level=st.floats(0.6, 0.999))
def test_p_values_invert_intervals_of_any_skewness(skewness, freedom, level):
    low, high = skewed(Spread(0.0, 1.0, freedom, skewness), level)
    assert low < 0 < high
    for end in (low, high):
        p = 2 * stats.t.sf(abs(unskewed(-end, skewness)), freedom)
        assert p == pytest.approx(1 - level, rel=1e-4)


def test_what_was_not_seen_bounds_the_interval_from_inside():
    """Nearly equal values in [0, 1]: a share 1 - .05^(1/n) of others may have been missed."""
    values = 0.2 + 1e-6 * np.random.default_rng(0).normal(size=50)
    missed = 1 - 0.05 ** (1 / 50)
    found = mean(values, within=SHARE)
    assert found.high == pytest.approx(0.2 + missed * 0.8, rel=1e-3)
    assert found.low == pytest.approx(0.2 - missed * 0.2, rel=1e-3)
    clustered = mean(np.repeat(values, 3), np.repeat(np.arange(50), 3), within=SHARE)
    assert clustered.high == pytest.approx(found.high, rel=1e-3)


def test_rows_have_their_own_range():
    """Five sure and right predictions of a hundred: an error among them would cost 9.2 nats."""
    p = np.where(np.arange(100) < 5, 1 - 1e-4, 0.5)
    loss = log_loss(p, np.ones(100))
    within = Range.over_labels(lambda y: log_loss(p, y), 100)
    assert within.highest[:5] == pytest.approx(-math.log(1e-4))
    assert within.lowest[5:] == pytest.approx(math.log(2))
    missed = 1 - 0.05 ** (1 / 100)
    highest = loss.mean() + missed * (within.highest - loss).mean()
    assert mean(loss, within=within).high >= highest - 1e-12
    with pytest.raises(ValueError, match=r"got 9\.2"):
        mean(log_loss(p, 1 - np.ones(100)), within=Range(0.0, 5.0))
    with pytest.raises(ValueError, match="shape"):
        mean(loss, within=Range(np.zeros(3), np.ones(3)))


def test_values_equal_up_to_rounding_have_no_spread():
    values = np.where(np.arange(40) % 2, 0.3, 0.1 + 0.2)
    assert "spread is unknown" in mean(values).note
    assert "spread is unknown" in paired(values, np.zeros(40)).difference.note
    assert "no spread" in hierarchical([values, values, values]).note


def test_a_figure_that_is_not_finite_is_null_with_its_reason():
    found = Estimate(math.inf, 1.0, math.inf, n=3, covers="x", note="a caution")
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["estimate"] is content["high"] is None
    assert content["low"] == 1.0
    assert content["reliable"] is False
    assert content["note"] == "a caution; estimate is inf; high is inf"


def test_a_monotone_map_takes_the_range_along():
    found = mean(np.random.default_rng(0).integers(0, 2, 20).astype(float))
    bias = found.mapped(lambda share: share - 0.5)
    assert bias.within == (-0.5, 0.5)
    assert bias.low == found.low - 0.5


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.0004, -0.0002, 0.001), ".0004 [-.0002, .0010]"),
        ((0.00002, 0.00001, 0.00003), ".00002 [.00001, .00003]"),
        ((-0.0001, -0.1, 0.1), ".000 [-.100, .100]"),
        ((4e-9, 1e-9, 7e-9), "4.0e-09 [1.0e-09, 7.0e-09]"),
        ((0.0, 0.0, 0.0), ".000 [.000, .000]"),
        ((1e300, -1e300, 1e301), "1.0e+300 [-1.0e+300, 1.0e+301]"),
    ],
)
def test_small_intervals_are_written_so_that_they_are_seen(values, text):
    assert str(Estimate(*values, n=9, covers="x")) == text


RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
COMMITTED = results.read(RESULTS / "intervals.json")


def test_every_cell_that_is_promised_was_measured_at_93_percent():
    assert COMMITTED["repetitions"] >= 2000
    assert set(COMMITTED["cells"]) == set(WORLDS)
    short = {
        (name, units): cell["coverage"]
        for name, cells in COMMITTED["cells"].items()
        for units, cell in cells.items()
        if WORLDS[name].promised and cell["coverage"] < 0.93
    }
    assert not short
    assert not any(c["refused"] for cells in COMMITTED["cells"].values() for c in cells.values())


def test_the_benchmark_can_be_repeated(tmp_path, monkeypatch):
    """Few repetitions: the same form, and coverage within chance of what is committed."""
    name = "log-loss, confidence x 4, margins of deviation 2, rows"
    monkeypatch.setattr(script, "WORLDS", {name: WORLDS[name]})
    options = ["--repetitions", "150", "--units", "20", "--output", str(tmp_path)]
    script.main(options)
    cell = results.read(tmp_path / "intervals.json")["cells"][name]["20"]
    committed = COMMITTED["cells"][name]["20"]
    assert cell.keys() == committed.keys()
    assert cell["coverage"] == pytest.approx(committed["coverage"], abs=0.04)
    assert cell["over_t"] == pytest.approx(committed["over_t"], rel=0.2)
    assert f"| {name} |" in (tmp_path / "intervals.md").read_text()
    assert script.table(COMMITTED) == (RESULTS / "intervals.md").read_text()


def coverage_of(name, units, repetitions, seed):
    rng, world = np.random.default_rng(seed), WORLDS[name]
    found = [world.estimate(rng, units) for _ in range(repetitions)]
    return np.mean([e.low <= world.truth <= e.high for e in found])


QUICK = [
    ("log-loss, confidence x 6, margins of deviation 3, rows", 20),
    ("log-loss, confidence x 4, margins of deviation 2, rows", 60),
    ("log-loss, confidence x 3, margins of deviation 2, clusters of 5", 20),
    ("probabilities, beta(0.1, 1), rows", 60),
    ("0 to .002, 0.05 of them 1/2, rows", 20),
    ("difference of log-loss, confidence x 6 and x 1, rows", 60),
]


@pytest.mark.parametrize(("name", "units"), QUICK)
def test_bounded_cells(name, units):
    """400 repetitions: two standard errors of .012 below the promised 93 % are left to chance."""
    assert coverage_of(name, units, 400, seed=1) >= 0.93 - 0.024
