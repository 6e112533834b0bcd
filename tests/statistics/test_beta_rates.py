"""The mean rate of flips where pairs differ in it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from surefoot.statistics import flip_rate_of_votes, varying_rates
from surefoot.statistics.beta_rates import flip_rate_of_beta
from surefoot.statistics.flip_rate import disagreement_of


def _votes(rates, each, rng):
    """Votes for the first response and for either, whichever of them is right."""
    wrong = rng.binomial(each, rates)
    return np.where(rng.random(len(rates)) < 0.5, wrong, each - wrong), np.full(len(rates), each)


def test_it_is_where_the_chance_of_the_splits_is_largest():
    """Against the two sides' chances by scipy, over a grid of means and correlations."""
    first, votes = _votes(np.random.default_rng(0).beta(0.5, 2.0, 400), 6, np.random.default_rng(1))
    found = flip_rate_of_beta(first, votes)
    splits = np.bincount(np.minimum(first, 6 - first), minlength=4)

    def best(mean):
        total = np.geomspace(0.05, 200, 300)[:, None]
        chance = betabinom(6, mean * total, (1 - mean) * total).pmf(np.arange(7))
        both = np.concatenate([chance[:, :3] + chance[:, :3:-1], chance[:, 3:4]], axis=1)
        return (np.log(both) @ splits).max()

    top = best(found.estimate)
    assert top >= max(best(mean) for mean in np.linspace(0.02, 0.5, 49)) - 0.01
    for end in (found.low, found.high):
        if 0 < end < 0.5:
            assert 2 * (top - best(end)) == pytest.approx(3.84, abs=0.1)


def test_it_covers_where_one_rate_reads_too_low():
    hits, low = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        first, votes = _votes(rng.beta(0.3, 1.2, 800), 7, rng)
        found = flip_rate_of_beta(first, votes)
        hits += found.low <= 0.2 <= found.high
        low += flip_rate_of_votes(disagreement_of(first, votes)).high < 0.2
    assert hits >= 16  # of 20 at .95: fewer has chance .003
    assert low == 20


def test_of_one_rate_it_is_that_rate():
    rng = np.random.default_rng(3)
    found = flip_rate_of_beta(*_votes(np.full(2000, 0.15), 5, rng))
    assert found.estimate == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize("each", [2, 3])
def test_few_votes_say_no_law(each):
    found = flip_rate_of_beta(np.ones(50), np.full(50, each))
    assert found.estimate is None
    assert "four votes" in found.note


def test_votes_that_always_agree():
    found = flip_rate_of_beta(np.zeros(50), np.full(50, 5))
    assert found.low == 0.0
    assert found.estimate < 0.01


def test_weights_count_and_shared_rows_say_no_more():
    rng = np.random.default_rng(7)
    first, votes = _votes(np.full(600, 0.15), 5, rng)
    other, _ = _votes(np.full(600, 0.4), 5, rng)
    both, each = np.concatenate([first, other]), np.concatenate([votes, votes])
    heard = np.repeat([1.0, 0.0], 600)
    one = flip_rate_of_beta(first, votes)
    assert flip_rate_of_beta(both, each, weights=heard) == one
    again = np.tile(first, 3), np.tile(votes, 3)
    shared = flip_rate_of_beta(*again, clusters=np.tile(np.arange(600), 3))
    assert shared.low == pytest.approx(one.low, abs=2e-3)
    assert shared.high == pytest.approx(one.high, abs=2e-3)
    assert varying_rates(both, each, weights=heard) == varying_rates(first, votes)
    assert varying_rates(both, each).p_value < 0.05
