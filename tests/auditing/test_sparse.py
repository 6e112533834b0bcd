"""Sparse feedback: learning curve, near ties, effective rows and what to label next."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from surefoot.auditing import Lacking, diagnostics
from surefoot.worlds.planted.material import clean
from surefoot.worlds.planted.prompts import PromptLaw


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def measured(name, world):
    (one,) = diagnostics()[name].measure(world)
    return one


def twice(world):
    """Every row of a world twice, on the same prompts."""
    rows = np.repeat(np.arange(len(world.labels)), 2)
    made = replace(
        world,
        vectors=world.vectors[rows],
        labels=world.labels[rows],
        prompts=world.prompts[rows],
        weights=world.weights[rows],
        margins_true=world.margins_true[rows],
    )
    made.__dict__["margins"] = world.margins[rows]
    return made


class TestEffectiveRows:
    def test_rows_that_are_there_twice_count_once(self):
        world = clean("skewed lengths", 1000, rng())
        world = replace(world, prompts=np.arange(1000))
        one = measured("effective rows", twice(world))
        assert one.details["effective"] == pytest.approx(1000)
        assert one.size.estimate == pytest.approx(0.5)

    def test_weights_of_a_few_leave_a_few(self):
        world = clean("skewed lengths", 1000, rng())
        world = replace(
            world, prompts=np.arange(1000), weights=np.where(np.arange(1000) < 100, 1.0, 0.0)
        )
        assert measured("effective rows", world).details["by weight"] == pytest.approx(100)

    def test_equal_weights_on_single_prompts_leave_nothing_to_ask(self):
        world = replace(clean("skewed lengths", 300, rng()), prompts=np.arange(300))
        assert "weights that differ" in measured("effective rows", world).reason


class TestTheLearningCurve:
    def test_more_pairs_bring_more_where_there_are_few_for_the_dimensions(self):
        drawn = rng()
        world = clean("skewed lengths", 600, drawn)
        noise = np.concatenate([world.vectors, drawn.normal(size=(600, 2, 60))], axis=2)
        few, many = (
            measured("learning curve", one)
            for one in (replace(world, vectors=noise), clean("skewed lengths", 4000, rng()))
        )
        assert few.size.estimate > 0.005 > many.size.estimate
        assert few.details["accuracy"][-1] > few.details["accuracy"][0] + 0.03
        assert many.size.high < 0.02

    def test_few_prompts_are_not_asked(self):
        world = replace(clean("skewed lengths", 600, rng()), prompts=np.arange(600) % 20)
        assert isinstance(measured("learning curve", world), Lacking)

    def test_rows_without_a_weight_teach_nothing(self):
        world = clean("skewed lengths", 2000, rng())
        half = np.arange(2000) < 1000
        wrong = replace(
            world,
            labels=np.where(half, world.labels, 1 - world.labels),
            weights=np.where(half, 1.0, 0.0),
        )
        assert measured("learning curve", wrong).details["accuracy"][-1] > 0.65


class TestNearTies:
    def test_they_are_those_near_one_half(self):
        world = clean("skewed lengths", 1000, rng())
        world.__dict__["margins"] = np.where(np.arange(1000) < 300, 0.01, 3.0)
        one = measured("near ties", world)
        assert one.size.estimate == pytest.approx(0.3)
        assert one.details["near ties"] == 300
        assert one.rows is None  # nobody has to look at them

    def test_as_many_others_have_a_weight_too(self, monkeypatch):
        kept = []

        def spied(material, parts):
            kept.append(parts)
            return np.ones(parts.shape)

        module = sys.modules[diagnostics()["near ties"].measure.__module__]
        monkeypatch.setattr(module, "right_on_parts", spied)
        half = (np.arange(1000) % 2).astype(float)
        world = replace(clean("skewed lengths", 1000, rng()), weights=half)
        world.__dict__["margins"] = np.where(np.arange(1000) < 300, 0.01, 3.0)
        measured("near ties", world)
        assert (half @ kept[0]).tolist() == [500, 350, 350]


class TestWhatToLabelNext:
    def test_prompts_of_a_missing_topic_come_first(self):
        world = replace(clean("skewed lengths", 2000, rng()), law=PromptLaw(missing=0.2))
        one = measured("label next", world)
        deployment = world.drawn.deployment
        distances = np.linalg.norm(
            deployment.vectors[:, None] - world.training.vectors[None], axis=2
        ).min(1)
        chosen = np.isin(deployment.rows, one.in_deployment.positions[:30])
        assert distances[chosen].mean() > 1.2 * distances.mean()
        assert one.rows is None
        assert one.size.low > one.details["at random"]["high"]

    def test_prompts_that_are_all_nothing_are_ranked_alike(self):
        world = clean("skewed lengths", 600, rng())
        drawn = world.drawn
        nothing = replace(drawn.deployment, vectors=np.zeros_like(drawn.deployment.vectors))
        world.__dict__["drawn"] = replace(drawn, deployment=nothing)
        assert (measured("label next", world).in_deployment.scores == 0).all()

    def test_without_deployment_pairs_are_ranked(self):
        world = replace(clean("skewed lengths", 600, rng()), law=PromptLaw(deployed=0))
        one = measured("label next", world)
        assert one.in_deployment is None
        assert len(one.rows.positions) == 100
        assert one.rows.scores[0] == 1
