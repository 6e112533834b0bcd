"""A test of the size that matters: its level, its power, and how many rows would do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surefoot.statistics.minimum_effect import MinimumEffect

ERROR = 0.05


def rejections(effect: float, sides: str, freedom: float = 30.0, draws: int = 20_000) -> float:
    """Share of p-values of at most .05 where the true effect is this one."""
    rng = np.random.default_rng(3)
    values = effect + ERROR * stats.t(freedom).rvs(draws, random_state=rng)
    found = [MinimumEffect(v, ERROR, freedom, 0.1, sides).p_value <= 0.05 for v in values[:4000]]
    return float(np.mean(found))


@pytest.mark.parametrize("sides", ["above", "either"])
def test_at_the_size_that_matters_the_level_holds(sides):
    assert rejections(0.1, sides) == pytest.approx(0.05, abs=0.011)


@pytest.mark.parametrize("sides", ["above", "either"])
def test_below_it_hardly_anything_is_found(sides):
    assert rejections(0.0, sides) < 0.01


def test_the_other_side_counts_where_it_should():
    assert MinimumEffect(-0.4, ERROR, 30, 0.1, "either").p_value < 0.001
    assert MinimumEffect(-0.4, ERROR, 30, 0.1, "above").p_value > 0.999


@pytest.mark.parametrize("sides", ["above", "either"])
@given(alpha=st.floats(1e-4, 0.2), picked=st.integers(1, 40))
def test_the_critical_value_has_the_p_value_alpha(sides, alpha, picked):
    test = MinimumEffect(0.0, ERROR, 25, 0.1, sides, picked)
    at = replace(test, value=test.critical(alpha))
    assert at.p_value == pytest.approx(alpha, rel=1e-4)


@pytest.mark.parametrize("picked", [1, 20])
def test_power_is_the_share_of_values_beyond_the_critical_one(picked):
    test = MinimumEffect(0.0, ERROR, 200, 0.1, "above", picked)
    values = np.random.default_rng(0).normal(0.25, ERROR, 50_000)
    share = float((values > test.critical(0.05)).mean())
    assert test.power(0.25, 0.05) == pytest.approx(share, abs=0.01)


def test_enough_rows_have_the_power_asked_for():
    test = MinimumEffect(0.0, 0.2, 400, 0.1)
    n = 500
    rows = test.enough(0.3, 0.01, n)
    ratio = rows / n
    assert replace(test, error=0.2 / ratio**0.5, freedom=400 * ratio).power(0.3, 0.01) == (
        pytest.approx(0.8, abs=0.002)
    )


def test_no_number_of_rows_finds_what_does_not_matter():
    assert MinimumEffect(0.0, 0.2, 400, 0.1).enough(0.1, 0.05, 500) is None


def test_without_an_error_what_is_beyond_is_found():
    assert MinimumEffect(0.2, 0.0, 10, 0.1).p_value == 0
    assert MinimumEffect(0.1, 0.0, 10, 0.1).p_value == 1


def test_one_heavy_cluster_makes_no_finding():
    """Its residual is small because the mean is its own; more rows beside it would help."""
    test = MinimumEffect(0.5, 0.001, 0.01, 0.1)
    assert (test.p_value, test.power(0.5, 0.05)) == (1, 0)
    assert "fewer than six clusters" in test.estimate(500, "rows").note
    assert test.enough(0.5, 0.05, 500) > 500


def test_of_which_nothing_is_known_nothing_is_found_and_no_number_of_rows_helps():
    test = MinimumEffect(5.0, float("inf"), 1.0, 0.1)
    assert test.p_value == 1
    assert test.estimate(500, "rows").low is None
    assert test.power(10.0, 0.05) == 0
    assert test.enough(10.0, 0.05, 500) is None
