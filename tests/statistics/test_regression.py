"""Least squares with the jackknife over clusters, against numpy and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.statistics import regression
from surefoot.statistics.regression import linear


def drawn(n: int = 300, clusters: int = 30, seed: int = 0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, clusters, n)
    x = rng.normal(size=(n, 2)) + rng.normal(size=(clusters, 2))[ids] * 0.5
    return x, x @ [0.5, -0.3] + rng.normal(size=n) + rng.normal(size=clusters)[ids], ids


def reference(x, y, weights):
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(x * root, y * root[:, 0], rcond=None)[0]


def test_leaving_a_cluster_out_is_a_fit_without_it():
    x, y, ids = drawn()
    weights = np.random.default_rng(1).random(len(y))
    found = linear(x, y, ids, weights)
    assert found.coefficients == pytest.approx(reference(x, y, weights), abs=1e-6)
    without = np.stack([reference(x[ids != c], y[ids != c], weights[ids != c]) for c in range(30)])
    assert found.replicates == pytest.approx(without, abs=1e-5)


def test_how_many_clusters_are_left_out_at_once_changes_nothing(monkeypatch):
    x, y, ids = drawn()
    whole = linear(x, y, ids)
    monkeypatch.setattr(regression, "_BLOCK", 7)
    assert linear(x, y, ids).replicates == pytest.approx(whole.replicates, rel=1e-12)


def test_errors_are_as_wide_as_estimates_spread():
    found = [linear(*drawn(seed=seed)) for seed in range(300)]
    spread = np.std([one.coefficients for one in found], axis=0)
    assert np.mean([one.errors for one in found], axis=0) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("unit", [1e6, 1e-12])
def test_the_unit_of_weights_changes_nothing(unit):
    x, y, ids = drawn()
    weights = np.random.default_rng(1).random(len(y))
    one, other = (linear(x, y, ids, k * weights) for k in (1.0, unit))
    assert one.errors == pytest.approx(other.errors, rel=1e-5)
