"""Parts and annotators that want opposite things."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import Lacking, diagnostics
from surefoot.auditing.material import Votes
from surefoot.auditing.parts import labels_by_part
from surefoot.worlds.planted import faults
from surefoot.worlds.planted.material import clean, voted

SOURCES = faults()["two sources in conflict"]


def measured(name, world, of):
    (one,) = [m for m in diagnostics()[name].measure(world) if getattr(m, "of", "") == of]
    return one


def opposed_annotators(pairs: int = 1200):
    """Single votes by two people, of whom the second wants the opposite."""
    world = SOURCES.plant(pairs, np.random.default_rng(2), 1.0)
    who = (world.groupings["source"] == "other").astype(np.int64)
    votes = Votes(np.arange(pairs), who, world.labels, ("ann", "bob"))
    return replace(world, groupings={}, votes=votes)


@pytest.mark.parametrize("name", ["conflict", "opposed shortcuts"])
def test_annotators_oppose_each_other_as_sources_do(name):
    world = opposed_annotators()
    named = np.array(["ann", "bob"], dtype=object)[world.votes.annotator]
    by_source = measured(name, replace(world, groupings={"source": named}), "source")
    by_votes = measured(name, world, "annotator")
    assert by_votes.test.p_value == pytest.approx(by_source.test.p_value)
    assert by_votes.test.p_value < 0.001
    assert by_source.remedy
    assert not by_votes.remedy


def test_a_part_on_few_prompts_is_not_compared():
    """Nine prompts say nothing of a part, however many rows are on each."""
    world = SOURCES.plant(1200, np.random.default_rng(2), 1.0)
    rare = world.groupings["source"] == "other"
    prompts = np.where(rare, -1 - np.arange(1200) % 9, world.prompts)
    (said,) = diagnostics()["conflict"].measure(replace(world, prompts=prompts))
    assert said == Lacking("conflict: two names in source with 200 rows each, on 10 prompts.")


@pytest.mark.parametrize("name", ["conflict", "opposed shortcuts"])
def test_rows_without_a_weight_oppose_nobody(name):
    """Half of the rows contradict the other half, and have no weight."""
    world = clean("unbalanced groups", 1600, np.random.default_rng(3), length=0.6)
    turned = np.arange(1600) % 2 == 0
    sources = np.where(np.arange(1600) % 4 < 2, "one", "other").astype(object)
    labels = np.where(turned & (sources == "one"), 1 - world.labels, world.labels)
    world = replace(world, labels=labels, groupings={"source": sources})
    heavy = np.where(turned, 1e-9, 1.0)
    light, none = (
        measured(name, replace(world, weights=w), "source")
        for w in (heavy, np.where(turned, 0, 1.0))
    )
    assert light.size.estimate == pytest.approx(none.size.estimate, abs=0.02)
    assert none.test.p_value > 0.5
    opposite = measured(name, replace(world, weights=1e-9 + 1 - heavy), "source")
    assert opposite.test.p_value < 0.01


def test_heads_of_their_own_are_right_where_pooled_ones_are_not():
    found = measured("conflict", SOURCES.plant(2000, np.random.default_rng(4), 1.0), "source")
    accuracy, pooled = np.array(found.details["accuracy"]), np.array(found.details["pooled"])
    assert (accuracy.diagonal() > 0.6).all()
    assert (pooled < 0.57).all()
    assert f"{accuracy[0, 0]:.3f}" in found.seen


def test_labels_of_annotators_are_counted_by_who_gave_them():
    world = voted(
        clean("several votes", 300, np.random.default_rng(5)), 3, np.random.default_rng(6)
    )
    world = replace(world, groupings={})
    (cast,) = labels_by_part(world, 20, 5)
    assert len(cast.parts) == 5
    for part in cast.parts:
        mine = world.votes.annotator == world.votes.names.index(part)
        at = cast.names == part
        assert sorted(cast.rows[at].tolist()) == sorted(world.votes.pair[mine].tolist())


def test_where_nobody_is_named_it_says_what_it_needs():
    world = replace(clean("unbalanced groups", 300, np.random.default_rng(7)), groupings={})
    for name in ("conflict", "opposed shortcuts"):
        (one,) = diagnostics()[name].measure(world)
        assert isinstance(one, Lacking)
        assert "annotators" in one.reason


def test_parts_whose_labels_follow_from_a_feature_are_opposed():
    """One part nearly always prefers the longer, the other the shorter response."""
    rng = np.random.default_rng(9)
    world = clean("unbalanced groups", 800, rng)
    sources = np.where(rng.random(800) < 0.5, "one", "other").astype(object)
    sides = np.where(sources == "one", 1.0, -1.0) * world.contrasts["length"] > 0
    labels = np.where(rng.random(800) < 0.02, ~sides, sides).astype(float)
    world = replace(world, labels=labels, groupings={"source": sources})
    found = measured("opposed shortcuts", world, "source")
    assert found.size.estimate > 2
    assert found.test.p_value < 1e-6
