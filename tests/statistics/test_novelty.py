"""What a second sample has that a first one lacks: by units, and by near neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from surefoot.statistics.minimum_effect import MinimumEffect
from surefoot.statistics.novelty import moved_share, nearest_distances, share_beyond

P = np.array([0.3, 0.3, 0.2, 0.2, 0.0])
Q = np.array([0.3, 0.2, 0.2, 0.1, 0.2])


def _moved(n, m, p, q, seed):
    rng = np.random.default_rng(seed)
    before, after = rng.choice(5, n, p=p), rng.choice(5, m, p=q)
    return moved_share(before, after, 5, (rng.random(n) < 0.25, rng.random(m) < 0.25))


def test_it_is_the_total_variation_where_the_samples_are_large():
    found, more = _moved(40_000, 40_000, P, Q, 0)
    assert found.value == pytest.approx(np.abs(P - Q).sum() / 2, abs=3 * found.error)
    assert more.tolist() == [False, False, False, False, True]


def test_samples_of_one_law_differ_by_nothing_in_the_mean():
    """Where the same members chose and counted, the mean would be 2 errors above 0."""
    found = [_moved(150, 100, P, P, seed)[0] for seed in range(400)]
    values, errors = (
        np.array([getattr(one, name) for one in found]) for name in ("value", "error")
    )
    assert abs(values.mean()) < 3 * values.std() / 20
    assert values.std() < 1.1 * np.sqrt(np.mean(errors**2))


def test_the_size_that_matters_is_rarely_found():
    """With 5 % that are new; 20 of 400 are expected, 36 have chance .0005."""
    q = np.array([0.285, 0.285, 0.19, 0.19, 0.05])
    hits = 0
    for seed in range(400):
        found, _ = _moved(150, 100, P, q, seed)
        hits += MinimumEffect(found.value, found.error, found.freedom, 0.05).p_value <= 0.05
    assert hits <= 36


def _clumps(rng, count, mean=6):
    """Which clump each of the members of so many is in, of geometric sizes."""
    return np.repeat(np.arange(count), rng.geometric(1 / mean, count))


def test_clumps_are_drawn_and_choose_together():
    """Of one law of clumps; were members drawn alone, a share would seem moved in most worlds."""
    values, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        own, theirs = _clumps(rng, 60), 60 + _clumps(rng, 40)
        chooses = rng.random(100) < 0.25
        unit = rng.choice(5, 100, p=P)
        found, _ = moved_share(
            unit[own], unit[theirs], 5, (chooses[own], chooses[theirs]), (own, theirs)
        )
        values.append(found.value)
        errors.append(found.error)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert np.std(values) < 1.1 * np.sqrt(np.mean(np.square(errors)))


def test_what_lies_beyond_varies_with_the_clumps():
    values, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        own, theirs = _clumps(rng, 150), _clumps(rng, 150)
        sides = (rng.normal(size=150)[side] for side in (own, theirs))
        found = share_beyond(*sides, clumps=(own, theirs))
        values.append(found.value)
        errors.append(found.error)
    assert np.std(values) < 1.1 * np.sqrt(np.mean(np.square(errors)))


def test_the_second_sample_brings_at_least_the_variance_of_what_is_asked_after():
    none = share_beyond(np.arange(100.0), np.zeros(50), least=0.2)
    assert none.variances[1] == pytest.approx(0.2 * 0.8 / 50)


def test_members_of_one_clump_are_not_compared():
    x = np.array([[0.0], [0.1], [3.0], [9.0]])
    clumps = np.array([0, 0, 1, 1])
    assert nearest_distances(x, x, (clumps, clumps)) == pytest.approx([3.0, 2.9, 2.9, 8.9])
    assert np.isinf(nearest_distances(x[:2], x[:2], (clumps[:2], clumps[:2]))).all()


def test_no_share_is_certain():
    n = np.zeros(40, dtype=np.int64)
    found, _ = moved_share(n, n + 1, 2, (np.arange(40) < 10, np.arange(40) < 10))
    assert found.value == 1
    assert found.error > 0.05


def test_distances_are_those_to_the_nearest_other():
    x, y = (np.random.default_rng(s).normal(size=(2100, 3)) for s in (0, 1))
    assert nearest_distances(x, y) == pytest.approx(cdist(x, y).min(1), abs=1e-6)
    to = cdist(x, x) + np.diag(np.full(2100, np.inf))
    assert nearest_distances(x, x, (np.arange(2100), np.arange(2100))) == pytest.approx(
        to.min(1), abs=1e-6
    )


def test_prompts_given_twice_are_no_distance_apart():
    x = np.random.default_rng(0).normal(size=(50, 300))
    assert nearest_distances(x, x) == pytest.approx(np.zeros(50), abs=1e-6)


def test_what_lies_beyond_is_what_is_new():
    rng = np.random.default_rng(0)
    reference, alike = rng.gamma(3, size=4000), rng.gamma(3, size=4000)
    new = np.where(np.arange(4000) < 800, 50.0, alike)
    assert share_beyond(reference, alike).value == pytest.approx(0, abs=0.012)
    assert share_beyond(reference, new).value == pytest.approx(0.2 * 0.95, abs=0.02)


def test_the_error_allows_for_the_threshold():
    """Of few in the reference, the threshold varies more than who lies beyond it."""
    values, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        found = share_beyond(rng.normal(size=200), rng.normal(size=5000))
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.25)
