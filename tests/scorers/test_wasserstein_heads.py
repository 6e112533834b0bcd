"""Linear heads under a Wasserstein ball around the differences of their features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from surefoot.data import Preferences
from surefoot.errors import CompositionError
from surefoot.objectives import Evidence, Objective, Units
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.linear import Linear
from surefoot.scorers.solvers.linear import LinearSolver

N, D = 120, 8


def _problem(radius, l2=(0.01,), mass=None, rows=N, columns=D, **more) -> Problem:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(rows, 2, columns, generator=generator, dtype=torch.float64)
    truth = torch.randn(columns, generator=generator, dtype=torch.float64)
    chance = torch.sigmoid((features[:, 0] - features[:, 1]) @ truth)
    drawn = torch.rand(rows, generator=generator) < chance
    ball = [] if radius is None else [{"kind": "wasserstein", "radius": radius}]
    return Problem(
        features=features,
        objective=Objective(regularisers=ball, **more),
        evidence=Evidence(drawn.double()),
        mass=torch.ones(rows, len(l2), dtype=torch.float64) if mass is None else mass,
        l2=torch.tensor(l2, dtype=torch.float64),
        seeds=tuple(range(len(l2))),
    )


def _by_hand(problem: Problem, w: torch.Tensor, radius: float, share: np.ndarray) -> float:
    """Mean loss, norm of its gradient in each difference by numpy, and ridge."""
    x = (problem.features[:, 0] - problem.features[:, 1]).numpy()
    y, w = problem.evidence.label.numpy(), w.numpy()
    m = x @ w
    losses = np.log1p(np.exp(-m)) + (1 - y) * m
    gradients = (1 / (1 + np.exp(-m)) - y)[:, None] * w  # (N, D)
    norm = np.sqrt(share @ (gradients**2).sum(1))
    return share @ losses + radius * norm + float(problem.l2[0]) / 2 * w @ w


@pytest.mark.parametrize(("rows", "columns"), [(120, 8), (20, 50)])
def test_values_in_principal_axes_are_those_of_the_features(rows, columns):
    problem = _problem(0.5, rows=rows, columns=columns)
    solver = LinearSolver(problem, certify=True)
    assert solver.coordinates.values.shape[1] == min(rows, columns)
    torch.manual_seed(1)
    weights = torch.randn(min(rows, columns), 1, dtype=torch.float64)
    value, _ = solver.oracle(weights, torch.tensor([0]))
    in_features = solver.coordinates.to_features(weights)[:, 0]
    expected = _by_hand(problem, in_features, 0.5, np.full(rows, 1 / rows))
    assert float(value) == pytest.approx(expected, rel=1e-10)


def test_gradients_are_those_of_the_values():
    mass = torch.rand(N, 3, dtype=torch.float64)
    solver = LinearSolver(_problem(0.5, l2=(0.01, 0.1, 1.0), mass=mass), certify=True)
    torch.manual_seed(1)
    weights, fits = torch.randn(D, 3, dtype=torch.float64), torch.tensor([2, 0, 1])
    _, gradients = solver.oracle(weights, fits)
    for d in range(D):
        step = torch.zeros_like(weights)
        step[d] = 1e-6
        above, below = (solver.oracle(weights + s * step, fits)[0] for s in (1, -1))
        torch.testing.assert_close((above - below) / 2e-6, gradients[d], rtol=1e-5, atol=1e-7)


def test_the_fit_is_a_local_optimum_and_says_so():
    problem = _problem(0.4)
    fit = Linear().fit(problem)
    assert "not convex: this is a local optimum" in fit.note
    w, share = fit.parameters["weight"][:, 0], np.full(N, 1 / N)
    best = _by_hand(problem, w, 0.4, share)
    assert float(fit.values) == pytest.approx(best, rel=1e-9)
    torch.manual_seed(2)
    for scale in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            step = scale * torch.randn(D, dtype=torch.float64)
            assert _by_hand(problem, w + step, 0.4, share) >= best - 1e-9


def test_many_fits_at_once_are_each_alone():
    mass = torch.rand(N, 3, dtype=torch.float64)
    together = Linear().fit(_problem(0.4, l2=(0.01, 0.1, 1.0), mass=mass))
    for k, l2 in enumerate((0.01, 0.1, 1.0)):
        alone = Linear().fit(_problem(0.4, l2=(l2,), mass=mass[:, k : k + 1]))
        torch.testing.assert_close(
            together.parameters["weight"][:, k], alone.parameters["weight"][:, 0],
            rtol=1e-3, atol=1e-4,
        )  # fmt: skip


def test_a_small_radius_is_the_plain_head():
    plain = Linear().fit(_problem(None)).parameters["weight"]
    apart = [
        float((Linear().fit(_problem(r)).parameters["weight"] - plain).norm())
        for r in (1e-2, 1e-3, 1e-6)
    ]
    assert apart[2] < 1e-4
    assert apart[1] == pytest.approx(apart[0] / 10, rel=0.1)


def test_a_larger_radius_is_a_shorter_head_until_there_is_none():
    """Near 0 the value is log 2 - w.mean + radius |w| / 2, mean half the mean of what is preferred
    less the other: 0 is a local optimum from a radius of that mean's length on.
    """
    plain = _problem(None)
    sign = 2 * plain.evidence.label - 1
    difference = plain.features[:, 0] - plain.features[:, 1]
    edge = float((sign[:, None] * difference).mean(0).norm())
    found = LinearSolver(_problem(0.3), certify=True).largest_radius()
    assert float(found) == pytest.approx(edge, rel=1e-9)
    lengths = [
        float(Linear().fit(_problem(r)).parameters["weight"].norm())
        for r in (1e-3, 0.2 * edge, 0.6 * edge, 0.95 * edge, 1.05 * edge)
    ]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[3] > 1e-3
    assert lengths[4] == 0


def test_mass_is_a_number_of_rows():
    """Doubling every weight changes nothing; a row of weight 2 is that row twice; 0 is none."""
    mass = torch.ones(N, 1, dtype=torch.float64)
    mass[:10], mass[10:20] = 2, 0
    problem = _problem(0.4, mass=mass)
    fit = Linear().fit(problem)
    share = (mass / mass.sum())[:, 0].numpy()
    w = fit.parameters["weight"][:, 0]
    assert float(fit.values) == pytest.approx(_by_hand(problem, w, 0.4, share), rel=1e-9)
    doubled = Linear().fit(_problem(0.4, mass=2 * mass))
    torch.testing.assert_close(doubled.parameters["weight"][:, 0], w)


def test_exchanging_the_responses_changes_nothing():
    problem = _problem(0.4)
    swapped = Problem(
        features=problem.features.flip(1),
        objective=problem.objective,
        evidence=problem.evidence.swapped(),
        mass=problem.mass,
        l2=problem.l2,
        seeds=(0,),
    )
    one, other = (Linear().fit(p).parameters["weight"] for p in (problem, swapped))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_mean_is_that_of_the_risk():
    """Under units of equal mass the ball is around the data weighed so."""
    ids = torch.cat([torch.zeros(100, dtype=torch.int64), torch.ones(20, dtype=torch.int64)])
    made = _problem(0.4, risk={"kind": "mean", "unit": "group", "unit_mass": "equal"})
    problem = Problem(
        made.features, made.objective, made.evidence, made.mass, made.l2, (0,), Units(ids, 2)
    )
    fit = Linear().fit(problem)
    share = np.where(ids.numpy() == 0, 0.5 / 100, 0.5 / 20)
    w = fit.parameters["weight"][:, 0]
    assert float(fit.values) == pytest.approx(_by_hand(problem, w, 0.4, share), rel=1e-9)


BALL = {"regularisers": [{"kind": "wasserstein", "radius": 0.5}]}


def _fit(rows, encoder, objective, flip_rate=0.0, **scorer):
    given = EmbeddingScorer(encoder={"name": encoder, "precision": "float32"}, **scorer)
    model = EmbeddingRewardModel(given, Objective(**objective))
    return model.fit(Preferences.from_rows(rows(80, source="s", flip_rate=flip_rate)))


@pytest.mark.parametrize(("flip_rate", "shorter"), [(0.3, True), (0.0, False)])
def test_heads_get_shorter_unless_every_pair_can_be_fitted(rows, small_encoder, flip_rate, shorter):
    """Where labels can be fitted, slopes vanish as margins grow: the penalty asks for length."""
    plain, robust = (
        _fit(rows, small_encoder, o, flip_rate, head=Linear(l2=0.01)) for o in ({}, BALL)
    )
    lengths = [float(m.parameters_["weight"].norm()) for m in (plain, robust)]
    assert (lengths[1] < lengths[0]) == shorter
    assert "local optimum" in robust.report_.optimum
    assert robust.report_.out_of_fold_accuracy.estimate > 0.5
    assert plain.report_.input_gradient is None
    # What the report says is what a small move of everything costs: at most the head's length.
    assert 0 < robust.report_.input_gradient < lengths[1]


def test_a_ball_that_is_too_wide_is_told(rows, small_encoder):
    wide = {"regularisers": [{"kind": "wasserstein", "radius": 50.0}]}
    with pytest.warns(UserWarning, match=r"From a radius of .* on .*, and the radius is 50"):
        model = _fit(rows, small_encoder, wide, 0.3, head=Linear(l2=0.1))
    assert (model.parameters_["weight"] == 0).all()


@pytest.mark.parametrize(
    ("scorer", "message"),
    [({"source_aware": True}, "scorer.source_aware"), ({"head": "mlp"}, "it is for the linear")],
)
def test_other_heads_are_refused(rows, small_encoder, scorer, message):
    with pytest.raises(CompositionError, match=message):
        _fit(rows, small_encoder, BALL, **scorer)


def test_margins_of_the_fit_are_those_of_its_features():
    problem = _problem(0.4)
    fit = Linear().fit(problem)
    found = margins_of(problem.scores(Linear(), fit.parameters))
    x = problem.features[:, 0] - problem.features[:, 1]
    torch.testing.assert_close(found, x @ fit.parameters["weight"])
