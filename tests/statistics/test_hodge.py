"""The part of a flow that goes round: identities, and worlds with known rewards."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

from surefoot.statistics.hodge import (
    curl_share,
    curl_share_by_chance,
    rewards,
    smoothed_log_odds,
)
from surefoot.statistics.logistic import logistic

PAIRS = np.array(list(combinations(range(6), 2)))


def test_a_difference_of_potentials_has_no_curl():
    drawn = np.random.default_rng(0)
    r, weights = drawn.normal(size=6), drawn.uniform(1, 5, len(PAIRS))
    assert curl_share(PAIRS, r[PAIRS[:, 0]] - r[PAIRS[:, 1]], weights) == pytest.approx(0, abs=1e-9)


def test_a_circle_is_nothing_but_curl():
    circle = np.array([[0, 1], [1, 2], [0, 2]])
    assert curl_share(circle, np.array([1.0, 1.0, -1.0]), np.ones(3)) == pytest.approx(1)


def test_potentials_and_circles_add_by_pythagoras():
    circle = np.array([[0, 1], [1, 2], [0, 2]])
    r = np.array([1.0, 0.4, -2.0])
    gradient, turn = r[circle[:, 0]] - r[circle[:, 1]], 0.7 * np.array([1.0, 1.0, -1.0])
    wanted = (turn @ turn) / (turn @ turn + gradient @ gradient)
    assert curl_share(circle, gradient + turn, np.ones(3)) == pytest.approx(wanted)


def test_nothing_flows():
    assert curl_share(PAIRS, np.zeros(len(PAIRS)), np.ones(len(PAIRS))) == 0


def test_rewards_are_those_of_logistic_regression():
    drawn = np.random.default_rng(1)
    votes = drawn.integers(20, 60, len(PAIRS))
    r = drawn.normal(size=6)
    wins = drawn.binomial(votes, expit(r[PAIRS[:, 0]] - r[PAIRS[:, 1]]))
    design = np.zeros((len(PAIRS), 6))
    design[np.arange(len(PAIRS)), PAIRS[:, 0]], design[np.arange(len(PAIRS)), PAIRS[:, 1]] = 1, -1
    other = logistic(design[:, 1:], wins / votes, weights=votes).coefficients
    found = rewards(PAIRS, wins, votes)
    assert found[1:] - found[0] == pytest.approx(other, abs=0.03)  # but for the ridge


def test_who_always_wins_has_a_finite_reward():
    found = rewards(np.array([[0, 1]]), np.array([5]), np.array([5]))
    assert 1 < found[0] - found[1] < 20


def test_the_curl_of_votes_by_rewards_is_that_by_chance_and_of_circles_is_more():
    drawn = np.random.default_rng(2)
    pairs = np.array(list(combinations(range(20), 2)))
    votes = np.full(len(pairs), 8)
    gained = drawn.normal(size=20)[pairs] @ [1, -1]
    for turned, more in ((0.0, False), (1.0, True)):
        chance = expit(gained + turned * drawn.normal(size=len(pairs)))
        wins = drawn.binomial(votes, chance)
        share = curl_share(pairs, smoothed_log_odds(wins, votes), votes.astype(float))
        assert bool(share > curl_share_by_chance(pairs, wins, votes).max()) is more
