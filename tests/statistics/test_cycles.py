"""Triads that go round: exact by enumeration, whatever the rewards; triangles of a graph."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom

from surefoot.statistics.cycles import circular, expected_circular, triads


@pytest.mark.parametrize("votes", [(1, 1, 1), (2, 2, 2), (3, 1, 2), (4, 3, 5)])
@pytest.mark.parametrize("rewards", [(0.0, 0.0, 0.0), (1.5, -0.3, 0.8)])
def test_the_expected_share_is_that_of_bradley_and_terry_given_who_won_how_often(votes, rewards):
    """Over all outcomes, weighted by their chances, with any rewards."""
    r, n = np.array(rewards), np.array(votes)
    chance = expit(r - np.roll(r, -1))  # first over second, second over third, third over first
    outcomes = np.array(list(product(*(range(k + 1) for k in votes))))
    mass = binom.pmf(outcomes, n, chance).prod(1)
    won = outcomes + np.roll(n - outcomes, 1, axis=1)  # of each of the three
    expected = expected_circular(outcomes, np.broadcast_to(n, outcomes.shape))
    share = circular(outcomes, n)
    for scores in np.unique(won, axis=0):
        same = (won == scores).all(1)
        assert expected[same] == pytest.approx(share[same] @ mass[same] / mass[same].sum())


def test_one_vote_each_says_nothing():
    outcomes = np.array(list(product(range(2), repeat=3)))
    ones = np.ones_like(outcomes)
    assert expected_circular(outcomes, ones) == pytest.approx(circular(outcomes, ones))


def test_unanimous_circles_are_more_than_expected():
    three = np.array([[3, 3, 3]])
    assert circular(three, three) == 1
    # 0, 1, 2 or 3 votes round on every pair, in proportion to 1, 27, 27 and 1
    assert expected_circular(three, three) == pytest.approx((2 * 1 + 2 * 27 / 3) / 56)


def test_triangles_are_those_of_the_graph():
    rng = np.random.default_rng(0)
    pairs = np.array([pair for pair in combinations(range(12), 2) if rng.random() < 0.5])
    known = set(map(tuple, pairs.tolist()))
    wanted = {t for t in combinations(range(12), 3) if set(combinations(t, 2)) <= known}
    sides, nodes = triads(pairs)
    assert set(map(tuple, nodes.tolist())) == wanted
    assert len(nodes) == len(wanted)
    for (ij, jk, ik), (i, j, k) in zip(sides, nodes, strict=True):
        assert [pairs[one].tolist() for one in (ij, jk, ik)] == [[i, j], [j, k], [i, k]]


def test_of_too_many_triangles_each_has_one_chance():
    pairs = np.array(list(combinations(range(7), 2)))
    seen = dict.fromkeys(combinations(range(7), 3), 0)
    for seed in range(700):
        for nodes in triads(pairs, 5, seed)[1].tolist():
            seen[tuple(nodes)] += 1
    assert sum(seen.values()) == 3500
    assert min(seen.values()) > 60  # 100 each expected, 4 deviations
    assert max(seen.values()) < 140


def test_no_triangles():
    for pairs in ([], [[0, 1], [1, 2]]):
        sides, nodes = triads(np.array(pairs, dtype=np.int64).reshape(-1, 2))
        assert sides.shape == nodes.shape == (0, 3)
