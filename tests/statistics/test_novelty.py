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


def test_no_share_is_certain():
    n = np.zeros(40, dtype=np.int64)
    found, _ = moved_share(n, n + 1, 2, (np.arange(40) < 10, np.arange(40) < 10))
    assert found.value == 1
    assert found.error > 0.05


def test_distances_are_those_to_the_nearest_other():
    x, y = (np.random.default_rng(s).normal(size=(2100, 3)) for s in (0, 1))
    assert nearest_distances(x, y) == pytest.approx(cdist(x, y).min(1), abs=1e-6)
    to = cdist(x, x) + np.diag(np.full(2100, np.inf))
    assert nearest_distances(x, x, np.arange(2100)) == pytest.approx(to.min(1), abs=1e-6)


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
