"""The fitted coefficient of a control variate: by slow sums, and where it should end."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from surefoot.objectives import Evidence, Objective, ReferencePairs
from surefoot.scorers.fit.coefficient import SURE, PlainHeads, fit_coefficient, plain_heads
from surefoot.scorers.head import Problem
from surefoot.worlds import TabularTruth, TabularWorld
from surefoot.worlds.tabular_truth import useless

N, M = 300, 4
FOLDS = torch.arange(N) % 5


def _slow_terms(problem: Problem, heads: PlainHeads, folds=FOLDS) -> tuple[np.ndarray, np.ndarray]:
    """H^-1 s and H^-1 d of each row, in numpy, row by row."""

    def sigma(z):
        return 1 / (1 + np.exp(-z))

    n = len(problem.mass)
    x = (problem.features[:, 0] - problem.features[:, 1]).numpy()
    label, own = problem.evidence.label.numpy(), problem.evidence.auxiliary.numpy()
    references = problem.evidence.references
    theirs, mass = references.auxiliary.numpy(), problem.mass[:, 0].numpy()
    s, d = [], []
    for i in range(n):
        w = heads.weights[:, int(folds[i])].numpy()
        hessian = heads.l2 * np.eye(x.shape[1])
        others = [j for j in range(n) if folds[j] != folds[i]]
        for j in others:
            slope = sigma(x[j] @ w)
            share = mass[j] / mass[others].sum()
            hessian += share * slope * (1 - slope) * np.outer(x[j], x[j])
        score = (sigma(x[i] @ w) - label[i]) * x[i]
        control = (sigma(x[i] @ w) - own[i]) * x[i]
        pairs = np.flatnonzero(references.sets == references.of[i])
        for k in pairs:
            control = control - (sigma(x[n + k] @ w) - theirs[k]) * x[n + k] / len(pairs)
        s.append(np.linalg.solve(hessian, score))
        d.append(np.linalg.solve(hessian, control))
    return np.array(s), np.array(d)


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

    s, d = _slow_terms(problem, heads)
    s, d = s - s.mean(0), d - d.mean(0)
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


class TestSharedReferences:
    """Rows that share reference responses are not independent."""

    K, ROWS, M = 12, 6, 2
    FOLDS = torch.arange(K * ROWS) % 3

    def _problem(self, weight=None, sets=None, draws=None) -> Problem:
        """Normal features; by default prompt by prompt, each with a set of its own."""
        generator = torch.Generator().manual_seed(3)
        n = self.K * self.ROWS
        of = torch.arange(self.K).repeat_interleave(self.ROWS) if sets is None else sets
        count = int(of.max()) + 1
        pairs = torch.arange(count).repeat_interleave(self.M)
        x = torch.randn(n + len(pairs), 3, generator=generator, dtype=torch.float64)
        chance = torch.rand(n + len(pairs), generator=generator, dtype=torch.float64)
        label = (torch.rand(n, generator=generator) < chance[:n]).double()
        independent = torch.full((count,), float(self.M), dtype=torch.float64)
        given = {} if draws is None else {"draws": draws}
        references = ReferencePairs(chance[n:], pairs, of, independent, **given)
        mass = torch.ones(n, 1, dtype=torch.float64) if weight is None else weight[:, None]
        return Problem(
            torch.stack([x, torch.zeros_like(x)], dim=1),
            Objective(labels="control-variate"),
            Evidence(label, chance[:n], references),
            mass,
            torch.ones(1, dtype=torch.float64),
            (0,),
        )

    def test_rows_are_added_up_within_each_set_first(self):
        problem = self._problem()
        heads = plain_heads(problem, self.FOLDS)
        found = fit_coefficient(problem, self.FOLDS, heads)
        s, d = (v - v.mean(0) for v in _slow_terms(problem, heads, self.FOLDS))

        def ratio(without=None):
            rows = [i for i in range(len(s)) if i // self.ROWS != without]
            one, other = s[rows] - s[rows].mean(0), d[rows] - d[rows].mean(0)
            one, other = (v.reshape(-1, self.ROWS, v.shape[1]).sum(1) for v in (one, other))
            return (one * other).sum() / np.square(other).sum()

        assert found.raw == pytest.approx(ratio(), rel=1e-6)
        left_out = np.array([ratio(k) for k in range(self.K)])
        jackknife = np.sqrt((self.K - 1) * left_out.var())
        sums = np.square(d.reshape(self.K, self.ROWS, -1).sum(1)).sum(1)
        freedom = sums.sum() ** 2 / np.square(sums).sum() - 1
        wider = stats.t.ppf(SURE, freedom) / stats.norm.ppf(SURE)
        assert found.std == pytest.approx(jackknife * wider, rel=1e-6)
        assert wider > 1.2
        assert found.draws == self.K

    def test_a_row_alone_is_as_it_was(self):
        """Sets of one row, in any order, of unequal mass; a row of mass 0 shares with one."""
        n = self.K * self.ROWS
        weight = torch.rand(n, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        weight[5] = 0
        of = torch.randperm(n, generator=torch.Generator().manual_seed(2))
        of[5] = of[6]
        problem = self._problem(weight, of)
        heads = plain_heads(problem, self.FOLDS)
        found = fit_coefficient(problem, self.FOLDS, heads)
        w = weight.numpy()[:, None]
        s, d = (v - (w * v).sum(0) / w.sum() for v in _slow_terms(problem, heads, self.FOLDS))
        raw = (w * s * d).sum() / (w * d * d).sum()
        terms = (w * (s - raw * d) * d).sum(1)
        assert found.raw == pytest.approx(raw, rel=1e-9)
        assert found.std == pytest.approx(
            np.sqrt(np.square(terms).sum()) / (w * d * d).sum(), rel=1e-9
        )
        assert found.draws is None

    def test_a_prompt_drawn_twice_counts_as_two(self):
        """As a bootstrap of prompts does: the ratio is that of the rows written out."""
        weight = torch.ones(self.K * self.ROWS, dtype=torch.float64)
        weight[: self.ROWS] = 2
        problem = self._problem(weight)
        heads = plain_heads(problem, self.FOLDS)
        found = fit_coefficient(problem, self.FOLDS, heads)
        s, d = _slow_terms(problem, heads, self.FOLDS)
        rows = [*range(len(s)), *range(self.ROWS)]
        s, d = (v[rows] - v[rows].mean(0) for v in (s, d))
        s, d = (v.reshape(-1, self.ROWS, v.shape[1]).sum(1) for v in (s, d))
        assert found.raw == pytest.approx((s * d).sum() / np.square(d).sum(), rel=1e-6)

    def test_sets_of_one_draw_belong_together(self):
        """What the auxiliary model says of them differs, as it does by folds of rows."""
        of = torch.arange(self.K * self.ROWS) // (self.ROWS // 2)
        halves = self._problem(sets=of, draws=torch.arange(2 * self.K) // 2)
        apart = self._problem(sets=of)
        found, other = (fit_coefficient(one, self.FOLDS) for one in (halves, apart))
        assert found.draws == self.K
        assert other.draws == 2 * self.K
        assert found.raw != other.raw

    @pytest.mark.parametrize("prompts", [1, 2, 9])
    def test_few_draws_say_nothing(self, prompts):
        of = torch.arange(self.K * self.ROWS) % prompts
        found = fit_coefficient(self._problem(sets=of), self.FOLDS)
        assert found.value == 0
        assert found.std is None or prompts == 1  # where there is no scatter either
        assert f"rows share {prompts} draws" in str(found)
        assert fit_coefficient(self._problem(), self.FOLDS).std is not None

    def test_one_set_that_outweighs_all_others_says_nothing(self):
        of = torch.zeros(self.K * self.ROWS, dtype=torch.int64)
        of[-11:] = torch.arange(1, 12)
        problem = self._problem(sets=of)
        found = fit_coefficient(problem, self.FOLDS)
        assert found.value == 0
