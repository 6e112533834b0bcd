"""Distances of histograms: the radius of the ball that holds one, and what chance does."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from surefoot.errors import DataError
from surefoot.objectives import Risk
from surefoot.statistics.shift import DISTANCES, one_law, shift

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


@pytest.mark.parametrize("law", [Q, P], ids=["a shift", "one law"])
def test_intervals_hold_the_distance_from_the_training_prompts_as_they_are(law):
    rng = np.random.default_rng(1)
    held, safe = ({kind: [] for kind in DISTANCES} for _ in range(2))
    for seed in range(120):
        before, after = _samples(rng, 400, 200, P, law)
        found = shift(before, after, 4, seed)
        for kind, of in DISTANCES.items():
            truth, one = float(of(law, found.before)), found.distances[kind]
            held[kind].append(one.low <= truth <= one.high)
            safe[kind].append(one.low <= truth if kind == "cvar" else truth <= one.high)
    for kind in DISTANCES:  # 114 expected of 120
        assert sum(held[kind]) >= 111, kind
        assert sum(safe[kind]) >= 114, kind


def test_one_law_is_told_apart_as_often_as_promised():
    rng = np.random.default_rng(2)
    found = [one_law(*_samples(rng, 300, 150, P, P), 4, seed) for seed in range(300)]
    small = sum(one.p_value <= 0.05 for one in found)
    assert 5 <= small <= 26  # 15 expected
    assert 0.35 < np.mean([one.apart > one.by_chance for one in found]) < 0.65


@pytest.mark.parametrize("both", [(), (1, 2, 2)])
def test_the_p_value_by_enumeration(both):
    """All ways to deal the 4 and 3 prompts of one side alone, by Pearson's statistic of scipy."""
    alone = np.array([0, 0, 1, 0, 1, 2, 1])

    def counts(first):
        second = [i for i in range(7) if i not in first]
        sides = ([*alone[list(side)], *both] for side in (first, second))
        return np.array([np.bincount(side, minlength=3) for side in sides])

    every = [counts(first) for first in combinations(range(7), 4)]
    values = np.array([chi2_contingency(table, correction=False).statistic for table in every])
    exact = np.mean(values >= values[0] - 1e-9)
    found = one_law(alone[:4], alone[4:], 3, both=both)
    assert found.p_value == pytest.approx(exact, abs=0.03)
    shares = [table / table.sum(1, keepdims=True) for table in every]
    apart = [np.abs(p - q).sum() / 2 for p, q in shares]
    assert found.apart == pytest.approx(apart[0])
    assert found.by_chance == pytest.approx(np.median(apart), abs=0.05)


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
    assert plain.distances["tv"].estimate == pytest.approx(0.2)


def test_equal_histograms():
    found = shift([0, 1, 1], [0, 1, 1], 2)
    assert [one.estimate for one in found.distances.values()] == pytest.approx([0, 0, 0, 1])
    assert [found.distances[kind].low for kind in ("tv", "chi-squared", "kl")] == [0, 0, 0]
    assert found.distances["cvar"].high == 1
    assert one_law([0, 1, 1], [0, 1, 1], 2).p_value == 1


@pytest.mark.parametrize("sides", [([], [0, 1]), ([0, 1], [])])
def test_an_empty_sample_is_refused(sides):
    """Its shares are no numbers, and no draw would differ as much as they seem to: p = .0005."""
    with pytest.raises(DataError, match="two samples"):
        one_law(*sides, 2)
    with pytest.raises(DataError, match="two samples"):
        shift(*sides, 2)
