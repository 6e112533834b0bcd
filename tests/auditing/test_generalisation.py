"""Generalisation: the worst part, and topics that were not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import diagnostics
from surefoot.auditing.diagnostics import unseen_topics
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import clean


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def known(world, right, **changes):
    """The world with labels that margins out of fold are right on, or not."""
    made = replace(world, labels=np.ones(len(right)), **changes)
    made.__dict__["margins"] = np.where(right, 1.0, -1.0)
    return made


def measured(name, world):
    (one,) = diagnostics()[name].measure(world)
    return one


class TestTheWorstPart:
    def test_rows_without_a_weight_are_in_no_part(self):
        """The wrong half of a part has no weight: nothing is left to find."""
        world = clean("unbalanced groups", 1000, rng())
        rare = np.arange(1000) < 200
        names = np.where(rare, "rare", "common").astype(object)
        right = np.arange(1000) >= 100
        whole = known(world, right, groupings={"group": names})
        assert measured("worst part", whole).size.estimate == pytest.approx(0.5)
        weights = np.where(right, np.where(rare, 3.0, 0.5), 0.0)
        left = known(world, right, groupings={"group": names}, weights=weights)
        assert measured("worst part", left).size.estimate == 0

    def test_weights_count(self):
        world = clean("unbalanced groups", 1000, rng())
        rare = np.arange(1000) < 200
        names = np.where(rare, "rare", "common").astype(object)
        wrong = rare & (np.arange(1000) % 2 == 0)
        weights = np.where(wrong, 3.0, 1.0)
        one = measured(
            "worst part", known(world, ~wrong, groupings={"group": names}, weights=weights)
        )
        assert one.size.estimate == pytest.approx(0.75)
        assert one.picture.picked == ["rare"]

    def test_the_interval_allows_for_the_choice(self):
        """With 20 parts alike, the worst one's interval holds 0 nearly always."""
        held = 0
        for seed in range(40):
            drawn = rng(seed)
            world = clean("skewed lengths", 1200, drawn)
            names = drawn.choice([f"part {k}" for k in range(20)], 1200).astype(object)
            alike = known(world, drawn.random(1200) < 0.7, groupings={"group": names})
            held += measured("worst part", alike).size.low <= 0
        assert held >= 36


def test_topics_with_wishes_of_their_own_cost_what_heads_for_each_would_not():
    fault = next(one for one in faults().values() if one.diagnostic == "unseen topics")
    one = measured("unseen topics", fault.plant(2000, rng(), fault.surely))
    assert one.details["seen"] > one.details["unseen"] + 0.1
    alike = measured("unseen topics", clean("skewed lengths", 2000, rng()))
    assert abs(alike.size.estimate) < 0.02


def test_the_unit_of_weights_moves_no_topic():
    world = clean("skewed lengths", 400, rng())
    shares = replace(world, weights=np.full(400, 1 / 400))
    found = [measured("unseen topics", one).size.estimate for one in (world, shares)]
    assert found[0] == pytest.approx(found[1])


def test_topics_are_drawn_by_weights():
    """Rows that are ordered wrongly have no weight, nor has a topic."""
    world = clean("skewed lengths", 800, rng())
    right = np.arange(800) % 2 == 0
    world = replace(world, weights=(right & (world.drawn.topics > 0)).astype(float))
    world.__dict__["margins"] = np.where(right, world.labels - 0.5, 0.5 - world.labels)
    picture = measured("unseen topics", world).picture
    seen = picture.series["topic seen"]
    assert len(seen) == 11
    assert all(one.estimate == 1 for one in seen)


def test_one_topic_is_none_to_leave_out():
    world = replace(clean("skewed lengths", 400, rng()), prompts=np.arange(400) % 5)
    assert "10 topics" in measured("unseen topics", world).reason


def test_topics_that_are_near_each_other_are_left_out_together():
    """Five places with two topics each: no fold has part of a place, and few topics are apart."""
    places = np.repeat(10.0 * np.eye(5), 2, axis=0)
    centres = places + np.random.default_rng(0).normal(size=places.shape)
    sizes = np.array([90.0, 110, 80, 120, 100, 95, 105, 99, 100, 100])
    fold = unseen_topics._neighbours(centres, sizes)
    assert (fold[::2] == fold[1::2]).all()
    assert sorted(fold[::2].tolist()) == [0, 1, 2, 3, 4]
    few = unseen_topics._neighbours(centres[::3], np.ones(4))
    assert len(np.unique(few)) == 4
