"""Which observations to make next: by the variances themselves."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.statistics.design import next_observations, variances


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 4)), rng.normal(size=(12, 4)), rng.normal(size=(20, 4))


def test_gains_are_what_the_variances_lose(rows):
    known, candidates, targets = rows
    found = next_observations(known, candidates, targets, 5)
    for k in range(1, 6):
        before, after = variances(known, candidates[found.order[:k]], targets)
        assert found.gains[:k].sum() == pytest.approx(1 - after.mean() / before.mean())


def test_each_is_the_best_after_those_before_it(rows):
    known, candidates, targets = rows
    order = next_observations(known, candidates, targets, 4).order.tolist()
    assert len(set(order)) == 4
    for k in range(4):
        left = [i for i in range(12) if i not in order[:k]]
        after = {i: variances(known, candidates[[*order[:k], i]], targets)[1].mean() for i in left}
        assert min(after, key=after.get) == order[k]


def test_what_training_lacks_comes_first():
    known = np.random.default_rng(0).normal(size=(200, 3)) * [1, 1, 0]
    candidates = np.eye(3)
    assert next_observations(known, candidates, candidates, 3).order[0] == 2


def test_one_that_is_alike_is_not_chosen_next():
    known = np.zeros((1, 2))
    candidates = np.array([[1.0, 0.0], [1.0, 0.001], [0.0, 0.9]])
    assert next_observations(known, candidates, candidates, 2).order.tolist()[1] == 2
