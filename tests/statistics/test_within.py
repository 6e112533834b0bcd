import numpy as np
import pytest

from surefoot.statistics.within import (
    centred,
    correlation_of_sums,
    correlation_within,
    covariances,
)


def drawn(prompts, responses, rng, correlation=0.5):
    """Two values with this correlation within prompts, on levels of the prompts' own."""
    prompt = np.repeat(np.arange(prompts), responses)
    both = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], len(prompt))
    return prompt, both[:, 0] + 9 * rng.normal(size=prompts)[prompt], 1e-3 * both[:, 1]


def test_covariances_are_those_of_numpy():
    rng = np.random.default_rng(0)
    prompt = np.array([0, 1, 1, 0, 2, 1, 2])
    a, b = rng.normal(size=(2, 7))
    slow = [np.cov(a[prompt == p], b[prompt == p])[0, 1] for p in range(3)]
    assert covariances(a, b, prompt) == pytest.approx(slow)
    assert np.bincount(prompt, centred(a, prompt)) == pytest.approx(np.zeros(3))


def test_the_level_of_a_prompt_and_units_do_not_count():
    prompt, a, b = drawn(4000, 4, np.random.default_rng(1))
    found = correlation_within(a, b, prompt)
    assert found.mean == pytest.approx(0.5, abs=0.02)
    huge = correlation_within(1e200 * a, 1e-200 * b, prompt)
    assert (huge.mean, huge.error) == pytest.approx((found.mean, found.error))


def test_the_error_is_that_of_repetitions():
    worlds = (drawn(60, 5, np.random.default_rng(number)) for number in range(300))
    found = [correlation_within(a, b, prompt) for prompt, a, b in worlds]
    spread = np.std([one.mean for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.1)


def test_few_clusters_that_decide_leave_little_freedom():
    ones = np.ones(100)
    steps = np.where(np.arange(100) < 2, 30.0, 0.1) * np.tile([1, -1], 50)
    assert correlation_of_sums(steps, ones, ones).freedom < 5
    assert correlation_of_sums(np.random.default_rng(0).normal(size=100), ones, ones).freedom > 60


def test_what_does_not_vary_has_no_correlation():
    prompt = np.repeat(np.arange(20), 3)
    assert np.isnan(correlation_within(prompt * 0.1, prompt + np.arange(60.0), prompt).mean)
    alone = np.where(prompt == 0, np.arange(60.0), 0.0)  # in one prompt
    assert np.isinf(correlation_within(alone, np.arange(60.0), prompt).error)
