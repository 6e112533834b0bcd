"""Clumps of members that are nearly the same, and as how many independent ones they count."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from surefoot.statistics.near_duplicates import independent_size, linked


def partition(labels):
    """Which members are together, whatever their numbers."""
    return labels[:, None] == labels[None]


@pytest.mark.parametrize("within", [0.05, 0.2, 0.5])
def test_they_are_the_clusters_of_single_linkage(within):
    """More members than are compared at once, so that clumps join across blocks."""
    x = np.random.default_rng(0).normal(size=(600, 2))
    slow = fcluster(linkage(x, "single"), within, "distance")
    found = linked(x, within)
    assert len(np.unique(found)) == found.max() + 1
    np.testing.assert_array_equal(partition(found), partition(slow))


def test_members_may_be_together_however_far_apart():
    x = np.arange(6.0)[:, None] * 10
    x[5] = x[4] + 0.1
    found = linked(x, 1.0, np.array([7, 0, 7, 1, 2, 3]))
    assert found[0] == found[2]
    assert found[4] == found[5]
    assert len(np.unique(found)) == 4


def test_members_that_are_the_same_are_one_clump():
    assert linked(np.zeros((2000, 3)), 0.0).max() == 0


def test_the_error_of_a_mean_is_that_of_so_many():
    """Means of clumps whose members are all alike have the variance of as many alone."""
    clumps = np.repeat(np.arange(40), np.random.default_rng(0).geometric(0.2, 40))
    drawn = np.random.default_rng(1).normal(size=(4000, 40))[:, clumps].mean(axis=1)
    assert 1 / drawn.var() == pytest.approx(independent_size(clumps), rel=0.1)
    assert independent_size(np.arange(30)) == 30
