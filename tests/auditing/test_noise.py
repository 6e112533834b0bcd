"""Flipped votes and flipped labels: rates, suspects, remedies, what votes and labels do not say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import Lacking, diagnoses, diagnostics
from surefoot.auditing.material import Votes
from surefoot.auditing.trial import out_of_fold
from surefoot.objectives import Objective
from surefoot.statistics import flip_rate_of_majority
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import clean, voted


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def measured(name, world):
    (one,) = diagnostics()[name].measure(world)
    return one


def revoted(pairs=600, each=5, rate=0.2, seed=1, spread=None):
    """Votes turned round at a rate, or at a rate of each pair."""
    drawn = rng(seed)
    world = clean("several votes", pairs, drawn)
    sure = replace(world, margins_true=50 * np.sign(world.margins_true))
    rates = np.full(pairs, rate) if spread is None else spread(pairs, drawn)
    return voted(sure, each, drawn, lambda pair, who: rates[pair])


def flipped(rate, pairs=2000, sharper=3.0, seed=1):
    """A world of single labels, turned round at a rate, and which are."""
    drawn = rng(seed)
    world = clean("skewed lengths", pairs, drawn)
    world = voted(replace(world, margins_true=sharper * world.margins_true), 1, drawn)
    turned = drawn.random(pairs) < rate
    return replace(world, labels=np.where(turned, 1 - world.labels, world.labels)), turned


class TestVotes:
    def test_the_rate_of_votes_and_of_their_majority(self):
        one = measured("flipped votes", revoted())
        assert one.size.low < 0.2 < one.size.high
        majority = float(re.search(r"majority of 5 with rate (\S+)\. ", one.seen)[1])
        assert majority == pytest.approx(flip_rate_of_majority(one.size.estimate, 5), abs=1e-3)
        assert "on 600 pairs with 4 votes or more that is not seen" in one.seen

    def test_hard_pairs_make_the_one_rate_too_low_and_a_law_of_rates_mends_it(self):
        """Rates of a beta law of mean .2; one rate reads .12."""
        world = revoted(each=7, spread=lambda n, drawn: drawn.beta(0.4, 1.6, n))
        one = measured("flipped votes", world)
        assert one.size.estimate == pytest.approx(0.12, abs=0.02)
        assert "they are (p < .001)" in one.seen
        low, high = (one.details["beta"][end] for end in ("low", "high"))
        assert low < 0.2 < high
        assert ("If the flip rates of pairs follow a beta law" in one.seen) is (high - low <= 0.1)

    def test_three_votes_say_no_law(self):
        one = measured("flipped votes", revoted(each=3))
        assert one.details["beta"]["estimate"] is None
        assert "beta law" not in one.seen
        assert "takes 4 votes on a pair to see" in one.seen

    def test_weights_count(self):
        world = revoted()
        split = np.flatnonzero((world.labels > 0) & (world.labels < 1))
        weights = np.ones(600)
        weights[split] = 0.0
        one = measured("flipped votes", replace(world, weights=weights))
        assert one.size.estimate == 0.0

    def test_pairs_without_a_weight_are_no_prompts_that_votes_are_on(self):
        world = revoted()
        one_prompt = (world.prompts == world.prompts[0]).astype(float)
        lacking = measured("flipped votes", replace(world, weights=one_prompt))
        assert f"there are {one_prompt.sum():.0f} such pairs" in lacking.reason

    def test_one_prompt_that_outweighs_all_tells_nothing(self):
        world = revoted()
        weights = np.where(world.prompts == world.prompts[0], 1.0, 1e-30)
        one = measured("flipped votes", replace(world, weights=weights))
        (verdict,) = diagnoses([(diagnostics()["flipped votes"], one)])
        assert verdict.verdict == "cannot tell"

    def test_votes_that_contradict_each_other_are_given_no_flip_rate(self):
        n = 60
        votes = Votes(
            np.repeat(np.arange(n), 2), np.tile([0, 1], n), np.tile([1.0, 0.0], n), ("x", "y")
        )
        world = clean("skewed lengths", n, rng())
        world = replace(world, votes=votes, prompts=np.arange(n), labels=np.ones(n))
        one = measured("flipped votes", world)
        assert "coded the other way" in one.advice
        assert not one.remedy

    def test_single_votes_show_no_flip_rate(self):
        one = measured("flipped votes", clean("skewed lengths", 100, rng()))
        assert isinstance(one, Lacking)
        assert "there are 0 such pairs" in one.reason

    def test_few_votes_that_agree_are_no_certainty(self):
        world = replace(revoted(30, 3, 0.0), prompts=np.arange(30))
        one = measured("flipped votes", world)
        (verdict,) = diagnoses([(diagnostics()["flipped votes"], one)])
        assert verdict.verdict == "cannot tell"

    def test_means_of_votes_get_no_remedy(self):
        world = revoted()
        assert not measured("flipped votes", world).remedy
        hard = measured("flipped votes", replace(world, labels=np.rint(world.labels)))
        assert Objective(**hard.remedy["objective"]).labels.flip_rate == "fitted"

    @pytest.mark.slow
    @pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.3])
    def test_three_votes_on_2000_pairs_say_the_rate_to_002(self, rate):
        fault = next(f for f in faults().values() if f.diagnostic == "flipped votes")
        found = [measured("flipped votes", fault.plant(2000, rng(i), rate)) for i in range(20)]
        assert np.sqrt(np.mean([(one.size.estimate - rate) ** 2 for one in found])) <= 0.02
        if rate == 0.1:
            assert all(one.test.p_value <= 0.00125 for one in found)


class TestLabels:
    def test_three_readings_and_the_truth(self):
        world, turned = flipped(0.1)
        one = measured("flipped labels", world)
        assert one.size.low < turned.mean() < one.size.high
        assert one.size.estimate == pytest.approx(0.1, abs=0.04)
        confident = one.details["confident learning"]
        assert one.size.estimate < confident["estimate"] < one.details["at most"]
        assert f"; {one.details['at most']:.2f} at most" in one.seen
        both = one.details["against two models"]
        assert f"{both['against']:,} are labelled the other way" in one.seen

    def test_suspects_are_flips_as_often_as_is_said(self):
        expected, right = [], []
        for seed in range(3):
            world, turned = flipped(0.15, 3000, seed=seed)
            one = measured("flipped labels", world)
            order = one.rows.positions
            assert (np.diff(one.rows.scores) <= 0).all()
            expected.append(one.details["expected precision"]["100"])
            right.append(turned[order[:100]].mean())
        assert np.mean(right) == pytest.approx(np.mean(expected), abs=0.08)
        assert np.mean(right) > 5 * 0.15

    def test_rows_without_a_weight_are_no_suspects(self):
        world, _ = flipped(0.15)
        world = replace(world, weights=(np.arange(2000) % 10 > 0).astype(float))
        rows = measured("flipped labels", world).rows
        assert len(rows.positions)
        assert (world.weights[rows.positions] > 0).all()
        assert (np.diff(rows.scores) <= 0).all()

    def test_a_remedy_that_trains_where_the_rate_is_sure(self):
        one = measured("flipped labels", flipped(0.1)[0])
        labels = Objective(**one.remedy["objective"]).labels
        assert labels.kind == "forward-corrected"
        assert labels.flip_rate == pytest.approx(one.size.estimate, abs=0.006)
        assert not measured("flipped labels", flipped(0.0)[0]).remedy

    def test_a_rate_that_is_fitted_can_be_tried(self):
        """Heads out of fold under the rate that the margins of plain ones give."""
        world, _ = flipped(0.2)
        rate = measured("flipped labels", world).size.estimate
        fitted, given = (
            out_of_fold(
                world,
                {"objective": {"labels": {"kind": "forward-corrected", "flip_rate": one}}},
            )
            for one in ("fitted", rate)
        )
        np.testing.assert_array_equal(fitted.loss, given.loss)
        assert fitted.loss.mean() < out_of_fold(world, {}).loss.mean()

    def test_soft_labels_get_no_second_remedy(self):
        world, _ = flipped(0.1)
        soft = np.where(np.arange(2000) < 100, 0.1 + 0.8 * world.labels, world.labels)
        assert not measured("flipped labels", replace(world, labels=soft)).remedy

    def test_nobody_is_suspected_where_single_labels_do_not_say(self):
        one = measured("flipped labels", flipped(0.1, 300, sharper=1.0)[0])
        assert one.size.high - one.size.low > 0.1
        assert one.rows is None
        assert not one.remedy
        (verdict,) = diagnoses([(diagnostics()["flipped labels"], one)])
        assert verdict.verdict == "cannot tell"
        assert verdict.enough > 300
        assert f"some {verdict.enough:,} rows would do" in verdict.sentence

    def test_a_narrow_interval_rests_on_its_assumption(self):
        one = measured("flipped labels", flipped(0.1)[0])
        (verdict,) = diagnoses([(diagnostics()["flipped labels"], one)])
        assert verdict.verdict == "assumed"
        assert "logistic in the margin" in verdict.sentence

    def test_labels_that_say_nothing(self):
        world = clean("skewed lengths", 300, rng())
        for labels in (np.full(300, 0.5), rng().integers(0, 2, 300).astype(float)):
            one = measured("flipped labels", replace(world, labels=labels))
            if isinstance(one, Lacking):
                continue
            (verdict,) = diagnoses([(diagnostics()["flipped labels"], one)])
            assert verdict.verdict == "cannot tell"
