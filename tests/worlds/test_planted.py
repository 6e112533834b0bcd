"""Planted worlds: what a part of one has is what the whole has."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.statistics.novelty import nearest_distances
from surefoot.worlds.planted.material import clean
from surefoot.worlds.planted.prompts import PromptLaw


def test_a_part_of_a_world_has_its_prompts():
    world = clean("unbalanced groups", 400, np.random.default_rng(1))
    rows = np.arange(100, 300)
    part = world.part(rows)
    assert part.drawn.topics.tolist() == world.drawn.topics[rows].tolist()
    whole, own = (one.training.vectors[one.training.of_rows] for one in (world, part))
    np.testing.assert_array_equal(own, whole[rows])
    np.testing.assert_array_equal(part.deployment.vectors, world.deployment.vectors)


def test_prompts_that_are_nearly_the_same_lie_together():
    world = clean("near-duplicates", 2000, np.random.default_rng(1))
    own, _ = world.sides.clumps
    sizes = np.bincount(own)
    assert 3 < np.mean(sizes[sizes > 0]) < 8
    assert 5 < (world.weights == 30).sum() < 40
    each = np.arange(len(own))
    vectors = world.training.vectors
    alone = PromptLaw().draw(world.prompts, world.seed).training.vectors
    near, far = (np.median(nearest_distances(x, x, (each, each))) for x in (vectors, alone))
    assert near < far / 2


def test_topics_and_lengths_change_with_time_and_taste_does_not():
    world = clean("changing conditions", 8000, np.random.default_rng(1), length=0.4)
    late = world.time > np.median(world.time)
    topics = world.drawn.topics
    assert topics[late].mean() > topics[~late].mean() + 3
    lengths = world.contrasts["length"]
    assert np.std(lengths[late]) > 1.3 * np.std(lengths[~late])
    slopes = [np.polyfit(lengths[half], world.margins_true[half], 1)[0] for half in (late, ~late)]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.08)
