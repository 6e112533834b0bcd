"""Krippendorff's alpha against published values, and votes beside others on their pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.statistics.agreement import (
    beside_others,
    krippendorff_alpha,
    spearman_brown,
    votes_needed,
)

NONE = np.nan
#: Krippendorff, Computing Krippendorff's alpha-reliability (2011), section C: four observers.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
)


def judged(table):
    units, values = np.tile(np.arange(table.shape[1]), (len(table), 1)), table
    given = np.isfinite(values)
    return units[given], values[given]


def test_alpha_of_a_published_example():
    """.849 for the interval metric."""
    assert krippendorff_alpha(*judged(OBSERVERS)).estimate == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_a_published_example_of_two_values():
    """Ten units, two observers, 0 and 1: .095 (the same, section A)."""
    table = np.array([[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]])
    assert krippendorff_alpha(*judged(table)).estimate == pytest.approx(0.095, abs=5e-4)


def test_alphas_interval_holds_the_truth():
    """By one rate of flips e and a fair coin, alpha is (1 - 2 e)^2; four units share a prompt."""
    held, worlds = 0, 200
    rng = np.random.default_rng(0)
    for _ in range(worlds):
        truth = np.repeat(rng.random(40) < 0.5, 4) ^ (rng.random(160) < 0.0)
        units = np.repeat(np.arange(160), 3)
        values = truth[units] ^ (rng.random(480) < 0.15)
        found = krippendorff_alpha(units, values, units // 4)
        held += found.low <= 0.49 <= found.high
    assert held / worlds == pytest.approx(0.95, abs=0.04)


def test_alpha_where_there_is_nothing_to_compare():
    assert krippendorff_alpha([1, 2, 3], [0, 1, 0]).note == "no unit has two values"
    assert krippendorff_alpha([1, 1, 2, 2], [1, 1, 1, 1]).note == "all values are equal"
    few = krippendorff_alpha([1, 1, 2, 2], [1, 0, 1, 1])
    assert few.low is None
    assert few.estimate is not None


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_so_many_votes_are_just_enough(one, wanted):
    needed = votes_needed(one, wanted)
    assert spearman_brown(one, needed) >= wanted - 1e-6
    assert needed == 1 or spearman_brown(one, needed - 1) < wanted + 1e-6


def test_no_number_of_votes_that_say_nothing_is_enough():
    assert votes_needed(0.0, 0.8) is None
    assert votes_needed(-0.2, 0.8) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
        min_size=1,
        max_size=20,
    )
)
def test_beside_others_is_what_counting_every_two_votes_gives(votes):
    pairs, values = (np.array(side) for side in zip(*votes, strict=True))
    found = beside_others(pairs, values)
    for i, (pair, value) in enumerate(votes):
        others = [v for j, (p, v) in enumerate(votes) if p == pair and j != i]
        alike = [1 - 2 * abs(value - v) for v in others]
        rest = [1 - 2 * abs(v - w) for v, w in combinations(others, 2)]
        for got, expected in (
            (found.mean[i], others),
            (found.own[i], alike),
            (found.among[i], rest),
        ):
            if expected:
                assert got == pytest.approx(np.mean(expected))
            else:
                assert np.isnan(got)
        assert found.others[i] == len(others)
