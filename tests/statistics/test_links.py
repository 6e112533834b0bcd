"""Links without a formula, lapses at either end, and what a prediction adds to a margin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression

from surefoot.statistics.encompassing import added_by
from surefoot.statistics.flip_mixture import flip_mixture
from surefoot.statistics.lapses import lapse_rates
from surefoot.statistics.links import forward_log_odds, isotonic_link


def drawn(n, first=0.0, second=0.0, scale=3.0, seed=0):
    """Margins, and labels with lapse rates at either end."""
    rng = np.random.default_rng(seed)
    margins = scale * rng.normal(size=n)
    chance = first + (1 - first - second) * expit(margins)
    return margins, (rng.random(n) < chance).astype(float)


def test_the_isotonic_link_is_that_of_another_program_but_for_half_a_label():
    margins, labels = drawn(400)
    weights = np.random.default_rng(1).uniform(0.5, 2, 400)
    middles, odds = isotonic_link(margins, labels, weights)
    both = np.concatenate([margins, -margins]), np.concatenate([labels, 1 - labels])
    other = IsotonicRegression().fit(*both, sample_weight=np.concatenate([weights] * 2))
    steps, at = np.unique(other.predict(both[0]), return_inverse=True)
    mass = np.bincount(at, np.concatenate([weights] * 2))
    assert expit(odds) == pytest.approx((mass * steps + 0.5) / (mass + 1))
    assert (np.diff(middles) > 0).all()


def test_which_response_is_named_first_turns_the_link():
    margins, labels = drawn(400)
    middles, odds = isotonic_link(margins, labels, np.ones(400))
    assert odds == pytest.approx(-odds[::-1])
    assert middles == pytest.approx(-middles[::-1])


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_equal_margins_have_one_chance(label):
    """Which of two that a model does not distinguish is named first moves nothing around them."""
    margins, labels = np.r_[np.zeros(20), -2.0, 2.0], np.r_[np.full(20, label), 0.0, 1.0]
    middles, odds = isotonic_link(margins, labels, np.ones(22))
    assert middles.tolist() == [-2, 0, 2]
    assert odds == pytest.approx([logit(0.5 / 3), 0, logit(2.5 / 3)])


def test_rows_without_weight_are_no_rows():
    margins, labels = drawn(300)
    weights = (np.arange(300) < 200).astype(float)
    found = isotonic_link(margins, labels, weights)
    assert found[1] == pytest.approx(isotonic_link(margins[:200], labels[:200], np.ones(200))[1])


def test_a_row_is_foreseen_from_earlier_folds():
    margins, labels = drawn(300)
    fold = np.arange(300) % 3
    found = forward_log_odds(margins, labels, np.ones(300), fold)
    assert np.isnan(found[fold == 0]).all()
    later = np.where(fold == 2, 1 - labels, labels)
    turned = forward_log_odds(margins, later, np.ones(300), fold)
    assert np.array_equal(found, turned, equal_nan=True)
    sure = (fold > 0) & (np.abs(margins) > 3)
    assert (np.sign(found[sure]) == np.sign(margins[sure])).all()


@pytest.mark.parametrize("rates", [(0.0, 0.0), (0.1, 0.02), (0.05, 0.05)])
def test_lapse_rates_are_covered(rates):
    covered = 0
    for seed in range(6):
        margins, labels = drawn(1000, *rates, scale=6.0, seed=seed)
        found = lapse_rates(margins, labels, np.ones(1000))
        covered += sum(one.low <= rate <= one.high for one, rate in zip(found, rates, strict=True))
    assert covered >= 9  # of 12, 11.4 expected


def test_lapses_of_one_rate_at_both_ends_are_flips():
    margins, labels = drawn(3000, 0.1, 0.1, scale=6.0)
    flips = flip_mixture(margins, labels).rate.estimate
    for one in lapse_rates(margins, labels, np.ones(3000)):
        assert one.estimate == pytest.approx(flips, abs=0.02)


def test_turning_the_sides_turns_the_lapses():
    margins, labels = drawn(1000, 0.12, 0.03, scale=6.0)
    first, second = lapse_rates(margins, labels, np.ones(1000))
    turned = lapse_rates(-margins, 1 - labels, np.ones(1000))
    assert turned[1].estimate == pytest.approx(first.estimate, abs=1e-3)
    assert turned[0].estimate == pytest.approx(second.estimate, abs=1e-3)
    assert first.estimate > second.estimate


def test_margins_near_nothing_do_not_say():
    margins, labels = drawn(300, scale=0.2)
    for one in lapse_rates(margins, labels, np.ones(300)):
        assert one.high - one.low > 0.2


class TestAdded:
    def world(self, much, n=4000):
        rng = np.random.default_rng(3)
        margins, beside = rng.normal(size=(2, n))
        labels = (rng.random(n) < expit(margins + much * beside)).astype(float)
        return margins, beside, labels

    def by(self, prediction, margins, labels):
        n = len(margins)
        return added_by(prediction, margins, np.zeros(n), labels, np.arange(n), np.ones(n), 0.1)

    def test_it_is_the_log_odds_of_a_deviation(self):
        margins, beside, labels = self.world(0.5)
        found = self.by(7 * beside - 2 * margins, margins, labels)  # in any unit, beside margins
        unsure = 4 * expit(margins) * expit(-margins)
        assert found.value == pytest.approx(0.5 * np.sqrt((unsure * beside**2).mean()), abs=0.06)

    def test_what_is_known_adds_nothing(self):
        margins, beside, labels = self.world(0.0)
        assert abs(self.by(beside, margins, labels).value) < 0.1
        assert self.by(3 * margins, margins, labels) is None
        assert self.by(np.zeros(4000), margins, labels) is None

    def test_a_bent_link_adds(self):
        margins, _, labels = self.world(0.0)
        bent = logit(0.1 + 0.8 * expit(6 * margins))
        rng = np.random.default_rng(4)
        labels = (rng.random(4000) < expit(bent)).astype(float)
        assert self.by(bent, margins, labels).p_value < 1e-6


def test_rows_that_share_what_they_say_widen_intervals():
    """Each row four times over: four times the rows say nothing more."""
    rng = np.random.default_rng(5)
    margins = rng.normal(0, 3, 500)
    labels = (rng.random(500) < 0.1 + 0.85 * expit(margins)).astype(float)
    alone = lapse_rates(margins, labels, np.ones(500))
    fourfold = [np.repeat(one, 4) for one in (margins, labels, np.ones(500), np.arange(500))]
    shared = lapse_rates(*fourfold[:3], clusters=fourfold[3])
    blind = lapse_rates(*fourfold[:3])
    for one, same, narrow in zip(alone, shared, blind, strict=True):
        assert same.estimate == pytest.approx(one.estimate, abs=5e-3)
        assert same.high - same.low == pytest.approx(one.high - one.low, rel=0.3)
        assert narrow.high - narrow.low < 0.75 * (same.high - same.low)
