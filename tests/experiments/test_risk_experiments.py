"""The experiments on risks: exact balls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from quick import committed, quick, settings_of


def check_exact(worst: dict) -> None:
    for found in worst.values():
        assert found["solver"] <= 2e-8
        assert found["gap"] <= 1e-12
        assert found["outside"] <= 1e-9
        assert found["falls"] <= 1e-12
        assert found["range"] <= 1e-12
        assert found["shift"] <= 1e-12
        assert found["neutral"] <= 1e-12
        assert found["single"] <= 1e-4


@pytest.mark.slow
def test_the_reduced_comparison_with_the_solver(tmp_path):
    check_exact(quick("risk_solver", tmp_path).figures["worst"])


def test_the_committed_comparison_with_the_solver():
    found = committed("risk_solver")
    assert set(found["worst"]) == {"tv", "chi-squared", "kl", "cvar"}
    check_exact(found["worst"])


def test_a_gap_tells_weights_that_are_not_the_best():
    from experiments.risk_solver import experiment

    x, p = np.array([0.0, 0.4, 1.0]), np.array([0.3, 0.3, 0.4])
    for kind, (_, sizes) in experiment.SIZES.items():
        assert experiment.dual(kind, sizes[3], x, p, p) - p @ x > 0.01


def check_estimates(rows: list[dict]) -> None:
    """The bias of steps and of micro-batches, and none of running duals."""
    for row in rows:
        assert row["step"]["high"] < 1.01
        assert row["micro-batches"]["high"] < 0.98
        if "dual" in row:
            assert row["dual"]["estimate"] == pytest.approx(1, abs=0.02)
    smallest, largest = (min(r["pairs"] for r in rows), max(r["pairs"] for r in rows))
    by = {(row["risk"], row["pairs"]): row["step"]["estimate"] for row in rows}
    for risk in {row["risk"] for row in rows}:
        assert by[risk, smallest] < 0.98
        assert by[risk, largest] > by[risk, smallest] + 0.01
    assert any("dual" not in row for row in rows)  # TV


@pytest.mark.slow
def test_the_reduced_experiment_on_duals(tmp_path):
    found = quick("dual", tmp_path).figures
    check_estimates(found["estimates"])
    gaps = {(row["risk"], row["estimate"]): row["gaps"] for row in found["training"]}
    for (_, estimate), by_step in gaps.items():
        assert all(gap["estimate"] > -1e-6 for gap in by_step.values())  # above the minimum
        if estimate == "dual":
            assert by_step["1000"]["estimate"] < by_step["30"]["estimate"] / 3
    assert gaps["TV, radius .05", "micro-batches"]["1000"]["estimate"] > 0.01


def test_the_committed_experiment_on_duals():
    found = committed("dual")
    check_estimates(found["estimates"])
    for row in found["training"]:
        assert row["proven"] < 1e-6
        if row["estimate"] == "dual":
            assert row["rate"]["high"] < -0.35


def test_the_minimum_of_the_convex_world_is_one():
    from experiments.dual.world import World, minimum
    from surefoot.objectives import Risk

    world = World.draw(300, 3, seed=1)
    risk = Risk.parse({"kind": "chi-squared", "radius": 0.3})
    found = minimum(world, risk, 0.05)
    assert found.gap < 1e-6
    assert world.value(risk, 0.05, found.parameters) == pytest.approx(found.value)
    rng = np.random.default_rng(0)
    for _ in range(50):
        elsewhere = found.parameters + 0.1 * rng.normal(size=3)
        assert world.value(risk, 0.05, elsewhere) >= found.value - 1e-8


def test_micro_batches_are_each_their_own_worst_case():
    from experiments.dual import experiment

    settings = settings_of("dual", "quick")
    risk = experiment.made(settings, "CVaR, level .5", "micro-batches")
    losses = torch.rand(8, 2, dtype=torch.float64)
    value, weights, state = experiment.seen(settings, risk, "micro-batches", losses, {})
    apart = [risk(part) for part in losses.split(4)]
    torch.testing.assert_close(value, (apart[0].value + apart[1].value) / 2)
    torch.testing.assert_close(weights, torch.cat([one.weights / 2 for one in apart]))
    assert state == {}
