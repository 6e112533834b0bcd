"""The flip rate: recovered from votes, bounded from single labels."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.statistics import (
    Estimate,
    disagreement_of,
    flip_rate_bound,
    flip_rate_of_majority,
    flip_rate_of_votes,
    mean,
    varying_rates,
)


def _votes(rng, pairs, rate, most=6):
    """Votes for the first response and for either, on pairs with random truths."""
    count = rng.integers(2, most, pairs)
    truth = rng.integers(0, 2, pairs)
    wrong = rng.binomial(count, rate)
    return np.where(truth == 1, count - wrong, wrong), count


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.24, 0.4])
def test_the_planted_rate_is_covered(rate):
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        found = flip_rate_of_votes(disagreement_of(*_votes(rng, 400, rate)))
        covered += found.low <= rate <= found.high
    assert 180 <= covered <= 200  # 190 expected, 3 deviations


def test_disagreement_counts_pairs_of_votes():
    for votes in product([0, 1], repeat=4):
        pairs = [a != b for i, a in enumerate(votes) for b in votes[:i]]
        assert disagreement_of([sum(votes)], [4])[0] == pytest.approx(np.mean(pairs))


def test_where_pairs_differ_the_figure_lies_below_the_mean_rate():
    rng = np.random.default_rng(1)
    first, count = np.concatenate([_votes(rng, 20_000, r) for r in (0.05, 0.45)], axis=1)
    found = flip_rate_of_votes(disagreement_of(first, count))
    chance = (2 * 0.05 * 0.95 + 2 * 0.45 * 0.55) / 2
    assert found.estimate == pytest.approx((1 - np.sqrt(1 - 2 * chance)) / 2, abs=0.01)
    assert found.high < 0.25


def test_votes_like_coins_are_flipped_half_of_the_time():
    rng = np.random.default_rng(2)
    found = flip_rate_of_votes(disagreement_of(*_votes(rng, 2000, 0.5)))
    assert found.high == 0.5
    assert found.low > 0.4


@pytest.mark.parametrize("votes", [1, 2, 3, 4, 5])
def test_the_majority_by_enumeration(votes):
    rate, wrong = 0.3, 0.0
    for flips in product([0, 1], repeat=votes):
        chance = np.prod([rate if flip else 1 - rate for flip in flips])
        share = np.mean(flips)
        wrong += chance * (1.0 if share > 0.5 else 0.5 if share == 0.5 else 0.0)
    assert flip_rate_of_majority(rate, votes) == pytest.approx(wrong)


@pytest.mark.parametrize("skill", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.4])
def test_the_bound_holds_whatever_the_model_knows(skill, rate):
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        knows, flipped = rng.random(500) < skill, rng.random(500) < rate
        bound = flip_rate_bound(mean((knows != flipped).astype(float)))
        held += bound >= rate
    assert held >= 93  # of an interval of 95 %, one side at least 97.5


def test_no_interval_no_bound():
    assert flip_rate_bound(Estimate(0.7, None, None, n=3, covers="x", note="few")) is None
    assert flip_rate_bound(Estimate(0.3, 0.2, 0.4, n=50, covers="x")) == 0.5


class TestVaryingRates:
    @pytest.mark.parametrize("mean_rate", [0.2, 0.3])
    def test_half_never_flipped_is_seen_and_the_rate_is_called_a_lower_bound(self, mean_rate):
        rng = np.random.default_rng(5)
        votes = np.full(400, 5)
        wrong = rng.binomial(votes, np.where(np.arange(400) % 2, 2 * mean_rate, 0.0))
        first = np.where(rng.random(400) < 0.5, wrong, 5 - wrong)
        rate = flip_rate_of_votes(disagreement_of(first, votes))
        assert rate.high < mean_rate
        assert "lower bound" in rate.note
        found = varying_rates(first, votes)
        assert found.seen
        assert found.pairs == 400
        v = 2 * mean_rate * (1 - 2 * mean_rate)
        assert found.variance == pytest.approx(v**2 / 4, abs=0.006)
        assert "they are (p < .001)" in str(found)

    @pytest.mark.parametrize(("pairs", "rate"), [(40, 0.25), (400, 0.0), (400, 0.25), (400, 0.5)])
    def test_one_rate_is_called_so_as_often_as_promised(self, rate, pairs):
        rng = np.random.default_rng(6)
        found = [varying_rates(*_votes(rng, pairs, rate, most=9), seed) for seed in range(100)]
        assert sum(one.seen for one in found) <= 11  # 5 expected, 3 deviations
        assert np.mean([one.variance for one in found]) == pytest.approx(0, abs=2e-3)

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
    @settings(max_examples=60, deadline=None)
    def test_the_moments_by_counting_twos_and_fours(self, sides):
        """Every choice of two and of four votes, whatever the votes."""
        votes = [a + b for a, b in sides]
        found = varying_rates([a for a, _ in sides], votes)
        enough = [(a, b) for a, b in sides if a + b >= 4]
        assert found.pairs == len(enough)
        if not enough:
            assert found.p_value is None
            assert "no pair has them" in str(found)
            return
        twos, fours = [], []
        for a, b in enough:
            ballots = [1] * a + [0] * b
            twos.append(np.mean([x != y for x, y in combinations(ballots, 2)]))
            middle = [sum(ballots[i] for i in c) == 2 for c in combinations(range(a + b), 4)]
            fours.append(np.mean(middle))
        expected = np.mean(fours) / 6 - (np.mean(twos) / 2) ** 2
        assert found.variance == pytest.approx(expected, abs=1e-12)
        assert 0 < found.p_value <= 1

    def test_three_votes_say_nothing(self):
        found = varying_rates([0, 1, 2, 3], [3, 3, 3, 3])
        assert (found.pairs, found.p_value) == (0, None)
        assert "takes 4 votes on a pair to see" in str(found)


@pytest.mark.parametrize(("share", "said"), [(1.0, True), (0.9, True), (0.5, False), (0.1, False)])
def test_votes_that_contradict_each_other_are_doubted(share, said):
    """No flip rate makes two votes disagree in more than half of the pairs."""
    found = flip_rate_of_votes((np.arange(200) < 200 * share).astype(float))
    assert ("coded the other way" in found.note) == said
    assert found.estimate <= 0.5
