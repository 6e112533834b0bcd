from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from surefoot.statistics import calibration
from surefoot.statistics.ties import (
    credit,
    groups_of_equals,
    side_of_half,
    side_of_margins,
    side_of_rewards,
)


def test_probabilities_that_cancel_up_to_rounding_are_ties():
    x = np.random.default_rng(0).normal(size=1000) * 3
    both = (expit(x) + expit(-x)) / 2
    assert (both != 0.5).any()
    assert not side_of_half(both).any()
    assert side_of_half([0.5 + 2e-6, 0.5 - 2e-6]).tolist() == [1, -1]
    assert side_of_half([0.55, 0.45], 0.1).tolist() == [0, 0]


def test_rewards_tie_at_the_resolution_of_their_size():
    rng = np.random.default_rng(1)
    for size in (1e-30, 1.0, 1e6):
        r = size * rng.normal(size=(500, 1)) @ np.ones((1, 2))
        noise = 1 + 1e-7 * rng.normal(size=(500, 2))
        assert not side_of_rewards(r * noise).any()
        assert side_of_rewards(r + size * np.array([1e-4, 0.0])).tolist() == [1.0] * 500
    assert side_of_rewards([[0.0, 0.0], [0.0, 1e-12]]).tolist() == [0, -1]


def test_margins_tie_where_they_vanish_beside_the_others():
    assert side_of_margins([3.0, -2.0, 1e-12]).tolist() == [1, -1, 0]
    assert side_of_margins([3e-300, -2e-300]).tolist() == [1, -1]
    assert side_of_margins([0.0, 0.0]).tolist() == [0, 0]
    assert side_of_margins([]).tolist() == []


def test_credit_is_half_for_ties_of_either():
    assert credit([1, -1, 0, 1], [1.0, 1.0, 0.0, 0.1 + 0.2 + 0.2]).tolist() == [1, 0, 0.5, 0.5]


def test_equal_neighbours_are_grouped():
    assert groups_of_equals([2.0, 1.0, 2.0 + 1e-9, 0.0]).tolist() == [2, 1, 2, 0]
    assert groups_of_equals([0.0, 0.0]).tolist() == [0, 0]


def test_a_model_that_says_half_up_to_rounding_is_not_confident():
    p = 0.5 + 1e-12 * np.random.default_rng(2).normal(size=60)
    found = calibration(p, np.ones(60))
    assert found.overconfidence.estimate == pytest.approx(0.0, abs=1e-9)
