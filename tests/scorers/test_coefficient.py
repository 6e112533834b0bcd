"""The fitted coefficient of a control variate: by slow sums, and where it should end."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surefoot.objectives import Evidence, Objective
from surefoot.scorers.coefficient import PlainHeads, fit_coefficient, plain_heads
from surefoot.scorers.head import Problem
from surefoot.worlds import TabularTruth, TabularWorld
from surefoot.worlds.tabular_truth import useless

N, M = 300, 4
FOLDS = torch.arange(N) % 5


def _problem(world: TabularWorld, auxiliary: np.ndarray, seed: int, swap: bool = False) -> Problem:
    drawn = world.draw(N, M, seed=seed)
    x, evidence = drawn.differences(world.features), drawn.evidence(auxiliary)
    if swap:
        x = torch.cat([-x[:N], x[N:]])
        evidence = evidence.swapped()
    return Problem(
        torch.stack([x, torch.zeros_like(x)], dim=1),
        Objective(labels="control-variate"),
        evidence,
        torch.ones(N, 1, dtype=torch.float64),
        torch.ones(1, dtype=torch.float64),
        (0,),
    )


@pytest.fixture(scope="module")
def intransitive() -> TabularWorld:
    return TabularTruth(skew=3.0).world(2)


def test_it_is_the_ratio_of_standardised_covariances(intransitive):
    """In numpy, row by row, at heads that are given."""
    problem = _problem(intransitive, intransitive.preference, seed=1)
    heads = PlainHeads(0.2 * torch.randn(4, 5, generator=torch.manual_seed(0)).double(), 0.05)
    found = fit_coefficient(problem, FOLDS, heads)

    def sigma(z):
        return 1 / (1 + np.exp(-z))

    x = (problem.features[:, 0] - problem.features[:, 1]).numpy()
    label, own = problem.evidence.label.numpy(), problem.evidence.auxiliary.numpy()
    theirs = problem.evidence.references.auxiliary.numpy()
    s, d = [], []
    for i in range(N):
        w = heads.weights[:, int(FOLDS[i])].numpy()
        hessian = 0.05 * np.eye(4)
        others = [j for j in range(N) if FOLDS[j] != FOLDS[i]]
        for j in others:
            slope = sigma(x[j] @ w)
            hessian += slope * (1 - slope) * np.outer(x[j], x[j]) / len(others)
        score = (sigma(x[i] @ w) - label[i]) * x[i]
        control = (sigma(x[i] @ w) - own[i]) * x[i]
        for k in range(N + i * M, N + (i + 1) * M):
            control = control - (sigma(x[k] @ w) - theirs[k - N]) * x[k] / M
        s.append(np.linalg.solve(hessian, score))
        d.append(np.linalg.solve(hessian, control))
    s, d = np.array(s) - np.mean(s, axis=0), np.array(d) - np.mean(d, axis=0)
    raw = (s * d).sum() / np.square(d).sum()
    terms = ((s - raw * d) * d).sum(1)
    std = np.sqrt(np.square(terms).sum()) / np.square(d).sum()
    assert found.raw == pytest.approx(raw, rel=1e-6)
    assert found.std == pytest.approx(std, rel=1e-6)
    assert found.value == pytest.approx(min(1, raw - std**2 / raw), rel=1e-6)


def test_heads_that_are_known_change_nothing(intransitive):
    problem = _problem(intransitive, intransitive.preference, seed=1)
    heads = plain_heads(problem, FOLDS)
    assert fit_coefficient(problem, FOLDS, heads) == fit_coefficient(problem, FOLDS)
    # They do not depend on the auxiliary model or on the references.
    other = _problem(intransitive, useless(intransitive.preference), seed=1)
    torch.testing.assert_close(plain_heads(other, FOLDS).weights, heads.weights)
    bare = Problem(
        problem.features[:N],
        Objective(),
        Evidence(problem.evidence.label),
        problem.mass,
        problem.l2,
        (0,),
    )
    torch.testing.assert_close(plain_heads(bare, FOLDS).weights, heads.weights)


def test_the_order_of_responses_does_not_matter(intransitive):
    one, other = (
        fit_coefficient(_problem(intransitive, intransitive.preference, 3, swap), FOLDS)
        for swap in (False, True)
    )
    assert one.raw == pytest.approx(other.raw, rel=1e-3)


def test_a_true_model_of_preferences_that_cycle_is_used(intransitive):
    found = [
        fit_coefficient(_problem(intransitive, intransitive.preference, seed), FOLDS).value
        for seed in range(5)
    ]
    assert min(found) > 0.6  # M / (M + 1) is 0.8
    assert max(found) < 0.95


def test_a_useless_model_is_hardly_used():
    world = TabularTruth().world(2)
    found = [
        fit_coefficient(_problem(world, useless(world.preference), seed), FOLDS)
        for seed in range(10)
    ]
    assert sum(one.value == 0 for one in found) >= 7
    assert max(one.value for one in found) < 0.2
    for one in found:
        assert (one.value == 0) == (one.raw <= one.std)


def test_a_model_and_references_that_say_nothing():
    """Every control variate is zero: responses do not differ."""
    world = TabularWorld(np.ones((2, 3, 2)), np.full((1, 2, 3, 3), 0.5), np.full((2, 3), 1 / 3))
    problem = _problem(world, world.preference, 0)
    heads = PlainHeads(torch.zeros(2, 5, dtype=torch.float64), 0.1)
    assert fit_coefficient(problem, FOLDS, heads).value == 0
