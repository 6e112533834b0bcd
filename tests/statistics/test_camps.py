"""Two directions of preference against one, tried on annotators and votes not seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from surefoot.statistics.camps import camps

J, EACH = 60, 60


def world(directions, seed=0):
    """Votes of annotators (J, K) who each follow a direction of their own, on their own pairs."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(J), EACH)
    x = rng.normal(size=(J * EACH, directions.shape[1]))
    votes = (rng.random(len(who)) < expit((x * directions[who]).sum(1))).astype(float)
    mixed = rng.permutation(len(who))
    return x[mixed], votes[mixed], who[mixed]


def found(directions, **changes):
    x, votes, who = world(directions)
    given = {"clusters": np.arange(len(who)), "weights": np.ones(len(who))} | changes
    result = camps(x, votes, who, given["clusters"], given["weights"])
    return result, result.gains(votes)


def of(share, one, other):
    return np.where((np.arange(J) < share * J)[:, None], np.array(other), np.array(one))


ONE, OTHER = [1.5, 0.0, 0.0], [0.0, 1.5, 0.0]


def test_both_camps_are_found():
    result, gained = found(of(0.3, ONE, OTHER))
    assert gained.mean() > 0.04
    assert (result.member > 0.5).tolist() == [j < 0.3 * J for j in range(J)]
    assert result.directions == pytest.approx(np.array([ONE, OTHER]), abs=0.4)


def test_what_is_gained_is_what_the_camps_would_gain():
    """Against the truth: the camp's own direction beside the mean of all, on fresh pairs."""
    result, gained = found(of(0.3, ONE, OTHER))
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200_000, 3))
    gains = []
    for direction in (ONE, OTHER):
        right = 2 * expit(x @ direction) - 1
        gains.append(np.mean((np.sign(x @ direction) - np.sign(x @ result.one)) * right) / 2)
    assert gained.mean() == pytest.approx(0.7 * gains[0] + 0.3 * gains[1], abs=0.015)


def test_one_direction_gains_nothing():
    _, gained = found(of(0.0, ONE, OTHER))
    assert gained.mean() < 0.005


def test_careless_annotators_are_no_camp():
    """A likelihood ratio would find two: those who follow the direction, and those who do not."""
    _, gained = found(of(0.4, [2.0, 0.0, 0.0], [0.2, 0.0, 0.0]))
    assert gained.mean() < 0.005


def test_opposite_camps():
    _, gained = found(of(0.3, ONE, [-1.5, 0.0, 0.0]))
    assert gained.mean() > 0.1


def test_votes_without_weight_count_for_nothing():
    directions = of(0.3, ONE, OTHER)
    x, votes, who = world(directions)
    heard = np.arange(len(who)) % 3 > 0
    turned = np.where(heard, votes, 1 - votes)
    clusters = np.arange(len(who))
    weights = heard.astype(float)
    one, other = (camps(x, v, who, clusters, weights) for v in (votes, turned))
    assert one.directions == pytest.approx(other.directions)
    assert one.turned[heard].tolist() == other.turned[heard].tolist()


def test_the_unit_of_weights_changes_nothing():
    x, votes, who = world(of(0.3, ONE, OTHER))
    clusters, ones = np.arange(len(who)), np.ones(len(who))
    one, other = (camps(x, votes, who, clusters, unit * ones) for unit in (1.0, 1e-3))
    assert one.directions == pytest.approx(other.directions)
    assert one.turned.tolist() == other.turned.tolist()


def test_an_annotators_camp_is_not_chosen_by_the_vote_that_is_predicted():
    """All votes of one cluster: nothing else says whose camp it is, so nothing can be gained."""
    _, gained = found(of(0.5, ONE, [-1.5, 0.0, 0.0]), clusters=np.zeros(J * EACH, dtype=int))
    assert abs(gained.mean()) < 0.03
