"""Balls: exact against a conic solver and against duality, and right at every limit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import in_ball

from surefoot.objectives import Objective, Risk, Units

KINDS = ("tv", "chi-squared", "kl")


def ball(kind: str, radius: float, **options) -> Risk:
    return Risk.parse({"kind": kind, "radius": radius, **options})


def away(kind: str, q: np.ndarray, p: np.ndarray) -> float:
    """How far q is from p, by definition."""
    present = p > 0
    q, p = q[present], p[present]
    if kind == "tv":
        return np.abs(q - p).sum() / 2
    if kind == "chi-squared":
        return ((q - p) ** 2 / p).sum() / 2
    return float((q * np.log(np.where(q > 0, q, 1) / p)).sum())


def problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Losses with ties on any scale, and very unequal mass."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 25))
    losses = rng.normal(size=n).round(int(rng.integers(0, 4))) * 10.0 ** rng.integers(-3, 4)
    mass = rng.dirichlet(np.full(n, rng.choice([0.5, 5.0]))) + 1e-4
    return losses, mass / mass.sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [0.01, 0.2, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_value_and_feasibility_to_1e_8(kind, radius, seed):
    losses, mass = problem(seed)
    found = ball(kind, radius)(torch.from_numpy(losses), torch.from_numpy(mass))
    value, _ = in_ball(losses, mass, kind, radius)
    assert abs(float(found.value) - value) <= 1e-8 * np.ptp(losses)
    q = found.weights.numpy()
    assert q.min() >= 0
    assert q.sum() == pytest.approx(1, abs=1e-12)
    assert away(kind, q, mass) <= radius + 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_the_constraint_is_tight_inside_the_range(kind):
    losses = np.random.default_rng(0).normal(size=40)
    mass = np.full(40, 1 / 40)
    for radius in (1e-6, 0.01, 0.1, 0.9):
        q = ball(kind, radius)(torch.from_numpy(losses)).weights.numpy()
        assert away(kind, q, mass) == pytest.approx(radius, rel=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_duals(seed):
    """Methods reference, section 3.2: each primal value is its dual's minimum."""
    losses, mass = problem(seed)
    radius = 0.15
    values = {k: float(ball(k, radius)(*map(torch.tensor, (losses, mass))).value) for k in KINDS}
    above = np.maximum(losses[:, None] - losses, 0)  # at u = each loss, where the minimum is
    tv = radius * losses.max() + (1 - radius) * losses + mass @ above
    assert values["tv"] == pytest.approx(tv.min(), rel=1e-12)
    span = np.ptp(losses)
    etas = losses.max() - span * np.geomspace(1e-6, 1e4, 200_001)
    squares = (mass[:, None] * np.maximum(losses[:, None] - etas, 0) ** 2).sum(0)
    chi = (etas + np.sqrt((1 + 2 * radius) * squares)).min()
    assert values["chi-squared"] <= chi + 1e-9 * span
    assert values["chi-squared"] == pytest.approx(chi, abs=1e-6 * span)
    t = span * np.geomspace(1e-4, 1e4, 20_001)
    x = (losses[:, None] - losses.max()) / t
    kl = (losses.max() + t * np.log((mass[:, None] * np.exp(x)).sum(0)) + t * radius).min()
    assert values["kl"] <= kl + 1e-9 * span
    assert values["kl"] == pytest.approx(kl, abs=1e-5 * span)


@pytest.mark.parametrize("kind", KINDS)
def test_grows_with_the_radius_between_mean_and_maximum(kind):
    losses = torch.randn(30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    radii = (0, 1e-9, 1e-4, 0.01, 0.1, 0.3, 0.6, 0.9, 0.999, 1.0)
    values = [float(ball(kind, radius)(losses).value) for radius in radii]
    assert values == sorted(values)
    assert values[0] == pytest.approx(float(losses.mean()), abs=1e-15)
    assert values[-1] <= float(losses.max())


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_largest_radius_and_beyond_it_is_the_maximum(kind):
    losses = torch.tensor([0.3, 2.0, -1.0, 2.0, 1.9], dtype=torch.float64)
    mass = torch.tensor([0.4, 0.1, 0.1, 0.3, 0.1], dtype=torch.float64)
    largest = ball(kind, 0.1).largest_radius(0.4)  # of the two units that tie, together
    for radius in {largest, min(largest * 1.01, 1.0), 1.0 if kind == "tv" else 1e6}:
        found = ball(kind, radius)(losses, mass)
        assert float(found.value) == pytest.approx(2.0, abs=1e-9)
        torch.testing.assert_close(
            found.weights[[1, 3]], torch.tensor([0.25, 0.75], dtype=torch.float64)
        )
    assert float(ball(kind, largest * 0.98)(losses, mass).value) < 2.0 - 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("radius", [0.0, 0.1, 1.0])
def test_equal_losses_and_single_units_change_nothing(kind, radius):
    mass = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    equal = ball(kind, radius)(torch.full((3,), 0.7, dtype=torch.float64), mass)
    torch.testing.assert_close(equal.weights, mass)
    assert float(equal.value) == pytest.approx(0.7)
    alone = ball(kind, radius)(torch.tensor([0.7]))
    assert alone.weights.tolist() == [1.0]
    absent = ball(kind, radius)(torch.tensor([0.7, 9.0, -9.0]), torch.tensor([1.0, 0.0, 0.0]))
    assert absent.weights.tolist() == [1.0, 0.0, 0.0]


CVARS = [Risk.parse({"kind": "cvar", "level": level}) for level in (0.2, 0.6, 0.8)]


@pytest.mark.parametrize("risk", [*(ball(kind, 0.3) for kind in KINDS), *CVARS])
def test_equal_losses_get_equal_treatment(risk):
    losses = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.5, 0.5], dtype=torch.float64)
    t = risk(losses).weights * 6
    torch.testing.assert_close(t[[0, 1, 4]], t[[2, 3, 5]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e30])
def test_on_any_scale(kind, dtype, scale):
    losses = torch.randn(50, 2, dtype=dtype, generator=torch.Generator().manual_seed(1))
    for radius in (0.0, 1e-12, 1e-6, 0.01, 0.3, 0.9):
        here, usual = ball(kind, radius)(losses * scale), ball(kind, radius)(losses.double())
        error = (here.weights - usual.weights).abs().max()
        assert error < (1e-4 if dtype is torch.float32 else 1e-9), radius
        assert here.value.isfinite().all()


@pytest.mark.parametrize("kind", ["chi-squared", "kl"])
def test_a_small_radius_adds_a_multiple_of_the_deviation(kind):
    losses = torch.rand(200, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    radius = 1e-4
    expected = losses.mean() + (2 * radius) ** 0.5 * losses.std(correction=0)
    assert float(ball(kind, radius)(losses).value) == pytest.approx(float(expected), abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_over_units_it_is_the_ball_of_their_means(kind):
    losses = torch.randn(60, dtype=torch.float64)
    ids = torch.arange(60) % 4
    found = ball(kind, 0.2, unit="group")(losses, units=Units(ids, 5))  # the last has no pair
    means = torch.stack([losses[ids == k].mean() for k in range(4)])
    torch.testing.assert_close(found.value, ball(kind, 0.2)(means).value)
    assert found.unit_weights[4] == 0


def test_a_radius_of_0_is_described_and_allowed():
    assert (
        "kl(radius=0.0) over groups"
        in Objective(risk={"kind": "kl", "radius": 0, "unit": "group"}).describe()
    )
