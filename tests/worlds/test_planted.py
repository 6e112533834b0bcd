"""Planted worlds: what a part of one has is what the whole has."""

from __future__ import annotations

import numpy as np

from surefoot.worlds.planted.material import clean


def test_a_part_of_a_world_has_its_prompts():
    world = clean("unbalanced groups", 400, np.random.default_rng(1))
    rows = np.arange(100, 300)
    part = world.part(rows)
    assert part.drawn.topics.tolist() == world.drawn.topics[rows].tolist()
    whole, own = (one.training.vectors[one.training.of_rows] for one in (world, part))
    np.testing.assert_array_equal(own, whole[rows])
    np.testing.assert_array_equal(part.deployment.vectors, world.deployment.vectors)
