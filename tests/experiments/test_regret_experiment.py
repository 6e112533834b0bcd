"""Regret in tabular worlds: the experiment runs, and its policies are what they are called."""

from __future__ import annotations

import numpy as np
import pytest
from quick import committed, quick, settings_of
from scipy.optimize import minimize

from surefoot.worlds import TabularTruth
from surefoot.worlds.tabular import tilted


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    done = quick("regret", tmp_path)
    found = done.figures
    rows = {(row["policies"], row["method"]): row for row in found["regret"]}
    for policies in ("log-linear", "every policy"):
        few, many = rows[policies, "DPO"]["regret"].values()
        assert few["estimate"] > many["estimate"] > 0
    assert rows["every policy", "two stages"]["ratio"]["100"]["estimate"] == pytest.approx(1)
    assert rows["every policy", "Dr. DPO"]["limit"] is None
    assert "the same" in done.tables


def test_the_best_log_linear_policy_by_another_optimiser():
    from experiments.regret import experiment

    world, beta = TabularTruth(dimension=3, skew=3.0, spread=0.5, prompts=4).world(1), 0.1
    logits = world.win_rates / beta

    def loss(weights):
        return -world.value(tilted(world.reference, world.features @ weights), beta)

    slow = min(minimize(loss, start, tol=1e-10).fun for start in np.eye(3))
    found = world.value(experiment.best_in_class(world, world.features, logits), beta)
    assert found == pytest.approx(-slow, abs=1e-7)


def test_the_best_of_every_policy_is_the_optimum():
    from experiments.regret import experiment

    world, beta = TabularTruth(skew=3.0, spread=0.5, prompts=4).world(1), 0.1
    found = experiment.best_in_class(world, experiment.one_hot(world), world.win_rates / beta)
    np.testing.assert_allclose(found, world.optimum(beta), atol=1e-9)


def test_ipo_of_every_policy_tends_to_the_best_policy():
    """At 1 / (2 tau) = 1 / (2 beta): the least squares solution is the win rates over beta."""
    from experiments.regret import experiment

    settings = settings_of("regret", "quick")
    world = settings.truths["intransitive"].world(3)
    methods = settings.methods
    ipo = experiment.limit(settings, world, methods["IPO"], "every policy", 0.5 / settings.beta)
    assert ipo == pytest.approx(0, abs=1e-6)
    dpo = [
        experiment.limit(settings, world, methods["DPO"], "every policy", strength)
        for strength in (1.0, 2.0, 3.0, 5.0)
    ]
    assert min(dpo) > 1e-3


def test_the_committed_results_have_every_row():
    methods = {row["method"] for row in committed("regret")["regret"]}
    assert methods == set(settings_of("regret").methods)
