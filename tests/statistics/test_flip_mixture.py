"""Flips among single labels, where the assumption holds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from surefoot.statistics.flip_mixture import flip_mixture


def labels_of(margins, rate, rng):
    y = rng.random(len(margins)) < expit(margins)
    flipped = rng.random(len(margins)) < rate
    return (y ^ flipped).astype(float), flipped


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.3])
def test_the_rate_is_found_where_margins_are_right(rate):
    fits = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        margins = rng.normal(0, 2.5, 2000)
        fits.append(flip_mixture(0.6 * margins, labels_of(margins, rate, rng)[0]))
    assert np.mean([one.rate.estimate for one in fits]) == pytest.approx(rate, abs=0.025)
    assert 0.6 * np.mean([one.scale for one in fits]) == pytest.approx(1.0, abs=0.2)


def test_the_profile_interval_covers():
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        margins = rng.normal(0, 2, 800)
        rate = flip_mixture(margins, labels_of(margins, 0.1, rng)[0]).rate
        hits += rate.low <= 0.1 <= rate.high
    assert hits >= 51  # of 60 at .95: fewer has chance .001


def test_the_ends_are_where_the_likelihood_ratio_is_the_quantile():
    """Deviance of rate (and the scale that fits best there) against a grid of both."""
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 2.5, 1500)
    y = labels_of(margins, 0.3, rng)[0]
    found = flip_mixture(margins, y)

    def least(rate):
        chance = expit(np.geomspace(0.2, 5, 400)[:, None] * margins * np.sign(y - 0.5))
        return (-np.log((1 - rate) * chance + rate * (1 - chance))).sum(1).min()

    best = least(found.rate.estimate)
    for end in (found.rate.low, found.rate.high):
        assert 2 * (least(end) - best) == pytest.approx(3.84, abs=0.03)


def test_suspects_are_flips_as_often_as_their_chance_says():
    rng = np.random.default_rng(1)
    margins = rng.normal(0, 2.5, 8000)
    y, flipped = labels_of(margins, 0.15, rng)
    chance = flip_mixture(margins, y).flipped(margins, y)
    first = np.argsort(-chance)[:400]
    assert flipped[first].mean() == pytest.approx(chance[first].mean(), abs=0.06)


def test_small_margins_say_little():
    rng = np.random.default_rng(2)
    margins = rng.normal(0, 0.3, 1000)
    rate = flip_mixture(margins, labels_of(margins, 0.1, rng)[0]).rate
    assert rate.high - rate.low > 0.2


def test_sides_and_scale_change_nothing():
    rng = np.random.default_rng(3)
    margins = rng.normal(0, 2, 1500)
    y, _ = labels_of(margins, 0.1, rng)
    turn = rng.choice([-1, 1], len(y))
    one = flip_mixture(margins, y).rate.estimate
    other = flip_mixture(7 * turn * margins, np.where(turn > 0, y, 1 - y)).rate.estimate
    assert other == pytest.approx(one, abs=1e-3)


def test_ties_and_no_margins_say_nothing():
    assert flip_mixture([0.0, 0.0], [1.0, 0.0]).rate.estimate is None
    assert flip_mixture([1.0, 2.0, 3.0], [0.5, 0.5, 0.5]).rate.estimate is None


def test_rows_that_say_the_same_widen_the_interval():
    """Four copies of each row, and that they are copies: as wide as without."""
    rng = np.random.default_rng(4)
    margins = rng.normal(0, 4, 1000)
    y, _ = labels_of(margins, 0.15, rng)
    copies, ids = (np.repeat(one, 4) for one in (margins, np.arange(1000)))
    once, four, told = (
        flip_mixture(m, labels, clusters=clusters).rate
        for m, labels, clusters in (
            (margins, y, None),
            (copies, np.repeat(y, 4), None),
            (copies, np.repeat(y, 4), ids),
        )
    )
    assert four.high - four.low == pytest.approx((once.high - once.low) / 2, rel=0.1)
    assert told.high - told.low == pytest.approx(once.high - once.low, rel=0.15)
    assert told.estimate == pytest.approx(once.estimate, abs=1e-3)


def test_grouping_of_many_rows_changes_nothing(monkeypatch):
    rng = np.random.default_rng(5)
    margins = rng.normal(0, 2.5, 9000)
    y, _ = labels_of(margins, 0.1, rng)
    grouped = flip_mixture(margins, y).rate
    monkeypatch.setattr("surefoot.statistics.flip_mixture._MOST", 10_000)
    whole = flip_mixture(margins, y).rate
    for end in ("estimate", "low", "high"):
        assert getattr(grouped, end) == pytest.approx(getattr(whole, end), abs=2e-4)
