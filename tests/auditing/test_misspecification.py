"""Rewards against a general preference: circles that a model foresees, and circles of votes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import Lacking, diagnoses, diagnostics
from surefoot.auditing.diagnostics.cycles import JudgedPairs, ballots
from surefoot.worlds.planted import models_in_circles
from surefoot.worlds.planted.intransitive import tournaments
from surefoot.worlds.planted.material import clean, voted

GENERAL, CYCLES, MODELS, LINK, LAPSES = (
    diagnostics()[name]
    for name in ("general preference", "cycles", "model cycles", "link", "lapses")
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def measured(diagnostic, world):
    (one,) = diagnostic.measure(world)
    return one


def by(world, reward, drawn, each=1):
    """The world with labels by Bradley and Terry's model, of a reward of vectors (..., D)."""
    first, second = reward(world.vectors).T
    return voted(replace(world, margins_true=first - second), each, drawn)


class TestGeneralPreference:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize(
        "reward",
        [
            lambda v: 0.5 * v[..., 0] ** 2 + v[..., 1] * v[..., 2],
            lambda v: 3 * np.tanh(v.sum(-1)),
        ],
        ids=["quadratic", "saturated"],
    )
    def test_rewards_that_are_not_linear_are_rewards(self, reward, seed):
        drawn = rng(seed)
        one = measured(GENERAL, by(tournaments(1000, drawn, 0.0, 1), reward, drawn))
        assert one.test.p_value > 0.05

    def test_rewards_that_depend_on_the_prompt_are_rewards(self):
        """What responses of a prompt have in common makes no circle."""
        drawn = rng()
        world = tournaments(2000, drawn, 0.0, 1)
        shift = 2 * drawn.normal(size=(200, 8))[world.prompts][:, None]
        taste = shift @ drawn.normal(size=(8, 8))
        world = replace(world, vectors=world.vectors + shift)
        one = measured(GENERAL, by(world, lambda v: 0.3 * (v * taste).sum(-1), drawn))
        assert one.test.p_value > 0.05

    def test_which_response_is_named_first_changes_nothing(self):
        world = tournaments(1000, rng(), 0.2, 1)
        turned = replace(
            world,
            vectors=world.vectors[:, ::-1].copy(),
            shared=world.shared[:, ::-1].copy(),
            labels=1 - world.labels,
        )
        sizes = [measured(GENERAL, one).size.estimate for one in (world, turned)]
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)

    def test_rows_without_weight_say_nothing(self):
        drawn = rng()
        world = tournaments(2000, drawn, 0.2, 1)
        kept = np.arange(2000) < 1200
        labels = np.where(kept, world.labels, 1 - world.labels)
        whole = measured(GENERAL, replace(world, labels=labels, weights=kept.astype(float)))
        assert whole.size.low > 0.5

    def test_it_is_rows_on_which_it_turns_the_reward(self):
        one = measured(GENERAL, tournaments(2000, rng(), 0.2, 1))
        assert 50 < len(one.rows.positions) < 1000
        assert (np.diff(one.rows.scores) <= 0).all()

    def test_two_responses_always_have_rewards(self):
        drawn = rng()
        world = tournaments(2000, drawn, 0.2, 1)
        alone = replace(world, prompts=np.arange(2000))
        assert "three responses" in measured(GENERAL, alone).reason

    def test_responses_that_are_all_alike_are_lacking(self):
        world = tournaments(600, rng(), 0.2, 1)
        alike = replace(world, vectors=np.ones_like(world.vectors))
        assert "two directions" in measured(GENERAL, alike).reason


class TestCycles:
    @pytest.mark.parametrize("seed", range(3))
    def test_votes_by_rewards_go_round_as_expected(self, seed):
        one = measured(CYCLES, tournaments(2000, rng(seed), 0.0, 3))
        assert one.size.low < 0 < one.size.high
        assert one.details["circular"] > 0.05  # votes do go round

    def test_what_goes_round_is_seen_and_named(self):
        world = tournaments(2000, rng(), 0.2, 3)
        one = measured(CYCLES, world)
        assert one.test.p_value < 0.001
        assert one.details["curl_share"] > max(one.details["curl_share_by_chance"])
        assert len(one.rows.positions) < 2000

    def test_links_of_transitive_votes_do_not_matter(self):
        """Nobody is ever unsure, a tenth of votes are flipped: no rewards, yet no circles."""
        drawn = rng()
        world = tournaments(2000, drawn, 0.0, 3)
        sure = replace(world, margins_true=30 * world.margins_true)
        sure = voted(sure, 3, drawn, lambda pair, who: np.full(len(pair), 0.1))
        one = measured(CYCLES, sure)
        assert one.test.p_value > 0.05

    def test_single_labels_say_nothing_of_circles(self):
        assert "two votes" in measured(CYCLES, tournaments(2000, rng(), 0.2, 1)).reason

    def test_rows_on_one_pair_are_votes_on_it(self):
        """Three rows with a label each are what one row with three votes is."""
        world = tournaments(600, rng(), 0.2, 3)
        votes = world.votes
        labels, pair = votes.value, votes.pair
        rows = replace(
            world,
            labels=labels,
            prompts=world.prompts[pair],
            shared=world.shared[pair],
            weights=np.ones(len(pair)),
            votes=replace(votes, pair=votes.pair[:0], annotator=pair[:0], value=labels[:0]),
        )
        found = [measured(CYCLES, one).size.estimate for one in (world, rows)]
        assert found[0] == pytest.approx(found[1])

    def test_sides_are_drawn(self):
        """The winner's votes count for it whichever side it stands on."""
        world = tournaments(600, rng(), 0.2, 3)
        pairs = JudgedPairs.of(world.responses, *ballots(world), world.weights)
        turned = replace(
            world,
            shared=world.shared[:, ::-1],
            votes=replace(world.votes, value=1 - world.votes.value),
        )
        other = JudgedPairs.of(turned.responses, *ballots(turned), turned.weights)
        assert np.array_equal(pairs.ends, other.ends)
        assert np.array_equal(pairs.wins, other.wins)

    def test_without_prompts_triads_that_share_a_pair_are_one(self):
        world = tournaments(600, rng(), 0.2, 3)
        one = measured(CYCLES, replace(world, prompts=np.zeros(600, dtype=np.int64)))
        assert one.size.covers == "votes on these responses"
        assert one.size.estimate == pytest.approx(measured(CYCLES, world).size.estimate)

    def test_one_graph_is_too_little(self):
        world = tournaments(600, rng(), 0.2, 3)
        few = replace(world, prompts=world.prompts % 5, shared=world.shared % 25)
        assert isinstance(measured(CYCLES, few), Lacking)


class TestLink:
    @pytest.mark.parametrize("scale", [0.3, 1.0, 20.0])
    def test_logistic_labels_are_logistic_however_sure(self, scale):
        drawn = rng()
        world = clean("skewed lengths", 1000, drawn)
        world = voted(replace(world, margins_true=scale * world.margins_true), 1, drawn)
        assert measured(LINK, world).test.p_value > 0.05

    def test_what_is_claimed_is_not_held(self):
        drawn = rng()
        world = clean("skewed lengths", 2000, drawn)
        world = replace(world, margins_true=6 * world.margins_true)
        world = voted(world, 1, drawn, lambda pair, who: np.full(len(pair), 0.1))
        one = measured(LINK, world)
        assert one.details["claimed"] > one.details["right"] + 0.02
        assert one.details["right"] == pytest.approx(0.9, abs=0.05)

    @pytest.mark.parametrize("labels", [0.5, 1.0])
    def test_labels_that_are_all_alike_are_no_traceback(self, labels):
        world = clean("skewed lengths", 300, rng())
        world = replace(world, labels=np.full(300, labels))
        for diagnostic in (LINK, LAPSES, GENERAL, CYCLES):
            for one in diagnostic.measure(world):
                assert isinstance(one, Lacking) or one.test is None or one.test.p_value > 0.05


class TestLapses:
    def test_who_takes_the_first_slot_unread_is_seen(self):
        drawn = rng()
        world = clean("skewed lengths", 2000, drawn)
        world = voted(replace(world, margins_true=8 * world.margins_true), 1, drawn)
        labels = np.where(drawn.random(2000) < 0.15, 1.0, world.labels)
        one = measured(LAPSES, replace(world, labels=labels, placed=np.ones(2000)))
        assert one.size.low <= 0.15 <= one.size.high
        assert one.details["second"]["high"] < one.size.low
        assert "The first slot" in one.advice

    def test_a_wide_interval_is_too_little_to_tell(self):
        one = measured(LAPSES, clean("unbalanced groups", 300, rng()))
        assert one.size.high - one.size.low > 0.1
        (judged,) = diagnoses([(LAPSES, one)])
        assert judged.verdict == "cannot tell"
        assert "some " in judged.sentence

    def test_where_the_better_comes_first_there_is_no_slot(self):
        assert "either slot" in measured(LAPSES, clean("skewed lengths", 300, rng())).reason


class TestModels:
    def test_strengths_make_no_circles(self):
        one = measured(MODELS, models_in_circles.plant(2000, rng(), 0.0))
        assert one.test.p_value > 0.5
        assert one.size.low < 0.005

    def test_the_power_is_that_of_circles_not_of_coins(self):
        """Of three models alike votes hardly move what goes round; in a circle they do."""

        def plant(turn, seed):
            drawn = rng(seed)
            first, step = drawn.integers(0, 3, 300), drawn.integers(1, 3, 300)
            names = np.array(["x", "y", "z"], dtype=object)
            chance = 0.5 + np.where(step == 1, turn, -turn)
            return replace(
                clean("unbalanced groups", 300, drawn),
                labels=(drawn.random(300) < chance).astype(float),
                models=np.stack([names[first], names[(first + step) % 3]], axis=1),
                prompts=np.arange(300),
            )

        turn = np.sqrt(MODELS.reference / 3)  # 3 turn^2 more goes round
        values = [measured(MODELS, plant(turn, seed)).size.estimate for seed in range(60)]
        assert np.mean(values) == pytest.approx(MODELS.reference, abs=0.01)
        alike = measured(MODELS, plant(0.0, 1)).test
        assert alike.error == pytest.approx(np.std(values), rel=0.3)

    def test_votes_on_one_prompt_count_once(self):
        """Three annotators who repeat each other are no more votes than one."""
        world = models_in_circles.plant(600, rng(), 1.0)
        again = replace(
            world,
            **{
                name: np.concatenate([getattr(world, name)] * 3)
                for name in ("labels", "prompts", "models", "weights", "placed")
            },
        )
        assert measured(MODELS, again).size.n == measured(MODELS, world).size.n == 600

    def test_a_model_that_is_not_named_is_left_out(self):
        world = models_in_circles.plant(2000, rng(), 1.0)
        names = world.models.copy()
        names[::2, 0] = None
        assert measured(MODELS, replace(world, models=names)).size.n <= 1000

    def test_without_names_it_says_which_columns(self):
        reason = measured(MODELS, clean("skewed lengths", 300, rng())).reason
        assert "model_a and model_b" in reason
