"""Flips by confident learning, and labels that two unlike models contradict."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from surefoot.statistics.confident_learning import confident_flips
from surefoot.statistics.two_models import contradicted


def drawn(n, rate, rng, sharp=3.0):
    margins = rng.normal(0, sharp, n)
    turned = rng.random(n) < rate
    return margins, ((rng.random(n) < expit(margins)) ^ turned).astype(float)


class TestConfidentLearning:
    def test_by_hand(self):
        chances = np.array([0.9, 0.9, 0.9, 0.6, 0.05])  # of the labels; .67 on average
        found = confident_flips(np.log(chances / (1 - chances)), np.ones(5))
        assert found.estimate == pytest.approx(1 / 4)  # the fourth is not sure, the last is flipped
        assert found.n == 4

    def test_of_a_model_that_is_never_wrong_it_is_the_rate(self):
        rng = np.random.default_rng(0)
        truth = rng.random(4000) < 0.5
        turned = rng.random(4000) < 0.2
        found = confident_flips(np.where(truth, 1.5, -1.5), (truth ^ turned).astype(float))
        assert found.low < 0.2 < found.high

    def test_hard_pairs_count_as_flips(self):
        margins, y = drawn(4000, 0.0, np.random.default_rng(1), sharp=1.0)
        assert confident_flips(margins, y).low > 0.1

    def test_sides_change_nothing_and_ties_say_nothing(self):
        rng = np.random.default_rng(2)
        margins, y = drawn(500, 0.1, rng)
        turn = rng.random(500) < 0.5
        one = confident_flips(margins, y)
        other = confident_flips(np.where(turn, -margins, margins), np.where(turn, 1 - y, y))
        tied = confident_flips(np.append(margins, 5.0), np.append(y, 0.5))
        assert one.estimate == other.estimate == tied.estimate

    def test_a_model_that_knows_nothing_says_nothing(self):
        assert confident_flips(np.zeros(9), np.ones(9)).estimate is None
        assert confident_flips(np.ones(9), np.zeros(9)).estimate is None
        assert confident_flips(np.ones(9), np.full(9, 0.5)).estimate is None


class TestTwoModels:
    def test_by_chance_as_many_as_is_said(self):
        """Two noisy views of one margin: no flips, and no more than is expected."""
        excess = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            a, b = rng.normal(0, 1.5, (2, 3000))
            y = (rng.random(3000) < expit(a + b)).astype(float)
            found = contradicted(a, b, y)
            excess.append(found.excess.estimate / max(found.expected, 1) ** 0.5)
        assert abs(np.mean(excess)) < 0.7  # of deviation 1: .22 for a mean of 20

    def test_flips_are_more_than_that(self):
        rng = np.random.default_rng(0)
        a, b = rng.normal(0, 3, (2, 8000))
        turned = rng.random(8000) < 0.15
        y = ((rng.random(8000) < expit(a + b)) ^ turned).astype(float)
        found = contradicted(a, b, y)
        assert found.excess.low > 0
        assert turned[found.rows].mean() > 0.6
        assert len(found.rows) == pytest.approx(found.expected + found.excess.estimate)

    def test_only_pairs_that_both_order_alike(self):
        a = np.array([3.0, 3.0, -3.0, 3.0] * 50)
        b = np.array([2.0, -2.0, -2.0, 2.0] * 50)
        y = np.array([1.0, 1.0, 0.0, 1.0] * 50)
        y[3] = 0.0
        found = contradicted(a, b, y)
        assert found.rows.tolist() == [3]
        assert found.sure == 150

    def test_models_that_know_nothing(self):
        found = contradicted(np.zeros(5), np.zeros(5), np.ones(5))
        assert found.excess.estimate is None
        assert found.sure == 0
