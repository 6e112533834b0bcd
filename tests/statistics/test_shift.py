"""Distances of histograms: the radius of the ball that holds one, and what chance does."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from surefoot.objectives import Risk
from surefoot.statistics.shift import DISTANCES, shift

P = np.array([0.4, 0.3, 0.2, 0.1])
Q = np.array([0.1, 0.3, 0.25, 0.35])


def _risk(kind, size):
    return Risk.parse({"kind": kind, "level" if kind == "cvar" else "radius": size})


@pytest.mark.parametrize("kind", DISTANCES)
def test_the_ball_of_this_radius_holds_the_other_law_and_none_much_smaller_does(kind):
    """By the risk itself: its supremum over the ball is at least the mean under the other law."""
    size = float(DISTANCES[kind](Q, P))
    smaller = min(size * 1.1, 1.0) if kind == "cvar" else size * 0.9
    rng = np.random.default_rng(0)
    losses = [rng.normal(size=4) for _ in range(2000)]
    losses += [Q / P, np.log(Q / P), (Q > P).astype(float), ((Q / P).max() == Q / P).astype(float)]

    def holds(radius):
        risk = _risk(kind, radius)
        value = [float(risk(torch.tensor(x), torch.tensor(P)).value) for x in losses]
        return all(v >= x @ Q - 1e-9 for v, x in zip(value, losses, strict=True))

    assert holds(size)
    assert not holds(smaller)


def _samples(rng, n, m, p=P, q=Q):
    return rng.choice(len(p), n, p=p), rng.choice(len(q), m, p=q)


def test_the_upper_end_is_on_the_safe_side():
    rng = np.random.default_rng(1)
    found = [shift(*_samples(rng, 400, 200), 4, seed) for seed in range(60)]
    for kind, of in DISTANCES.items():
        truth = float(of(Q, P))
        ends = [one.distances[kind] for one in found]
        safe = [e.low <= truth if kind == "cvar" else e.high >= truth for e in ends]
        assert np.mean(safe) >= 0.93, kind


def test_one_law_is_told_apart_as_often_as_promised():
    rng = np.random.default_rng(2)
    found = [shift(*_samples(rng, 300, 150, P, P), 4, seed) for seed in range(200)]
    small = sum(one.p_value <= 0.05 for one in found)
    assert 2 <= small <= 20  # 10 expected
    middle = np.mean([one.distances["tv"].estimate > one.by_chance["tv"] for one in found])
    assert 0.35 < middle < 0.65


def test_units_that_training_lacks():
    found = shift([0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 3, 3], 4)
    assert found.unseen == 0.5
    assert np.isinf(found.distances["kl"].estimate)
    assert np.isinf(found.distances["chi-squared"].estimate)
    assert found.distances["cvar"].estimate == 0
    assert found.distances["tv"].estimate == pytest.approx(0.5)
    told = json.dumps(found.to_dict(), allow_nan=False)
    assert json.loads(told)["distances"]["kl"]["estimate"] is None


def test_training_prompts_count_by_their_pairs():
    """Prompts 5:5, pairs 9:1, deployment 3:7: the ball is around 9:1."""
    before, after = np.repeat([0, 1], [500, 500]), np.repeat([0, 1], [300, 700])
    pairs = np.repeat([9, 1], [500, 500])
    found = shift(before, after, 2, pairs=pairs)
    assert found.before == pytest.approx([0.9, 0.1])
    for kind, of in DISTANCES.items():
        truth = float(of(np.array([0.3, 0.7]), np.array([0.9, 0.1])))
        estimate = found.distances[kind]
        assert estimate.estimate == pytest.approx(truth)
        assert estimate.low <= truth <= estimate.high
    plain = shift(before, after, 2)
    assert found.p_value == plain.p_value
    assert plain.distances["tv"].estimate == pytest.approx(0.2)


def test_equal_histograms():
    found = shift([0, 1, 1], [0, 1, 1], 2)
    assert [one.estimate for one in found.distances.values()] == pytest.approx([0, 0, 0, 1])
    assert found.p_value == 1
