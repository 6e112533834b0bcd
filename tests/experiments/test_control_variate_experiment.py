"""VRPO's label model in tabular worlds: the experiment runs, and its targets are met."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from quick import committed, quick, settings_of


@pytest.mark.slow
def test_the_reduced_experiment(tmp_path):
    done = quick("control_variate", tmp_path)
    found = done.figures
    check_bias(found["bias"])
    ratios = {
        (row["truth"], row["auxiliary"], row["pairs"], row["coefficient"]): row["ratio"]["estimate"]
        for row in found["errors"]
    }
    assert ratios["intransitive", "true", 8, "fitted"] < 0.8
    assert ratios["Bradley-Terry", "useless", 8, "1.0"] > 1.2
    assert ratios["Bradley-Terry", "useless", 8, "fitted"] < 1.1
    table = done.tables
    assert "learned, not cross-fitted" in table
    shared = {
        (row["cell"], row["auxiliary"], row["coefficient"]): row["ratio"]["estimate"]
        for row in found["shared_references"]
    }
    many, few = "10 x 40, M = 2", "40 x 10, M = 4"
    assert shared[many, "true", "1.0"] > 8  # one noise in forty rows
    assert all(shared[many, name, "fitted"] < 1.05 for name in ("true", "noisy", "useless"))
    assert shared[few, "true", "fitted"] < 0.95
    assert f"| intransitive | {many} | true |" in table


def check_bias(rows: list[dict]) -> None:
    """Zero where theory says so, and not elsewhere."""
    for row in rows:
        true = row["auxiliary"] == "true"
        for case, value in row.items():
            if case in ("loss", "auxiliary"):
                continue
            unbiased = case.startswith("reference") or (true and case.endswith(" 1"))
            assert value < 1e-11 if unbiased else value > 1e-3, (row, case)


def test_a_cross_fitted_model_does_not_see_the_labels_that_it_corrects():
    from experiments.control_variate import experiment

    settings = settings_of("control_variate", "quick")
    world = settings.truths["intransitive"].world(0)
    drawn = world.draw(settings.comparisons, 2, seed=1, repetitions=3)
    before = experiment.learned(settings, world, drawn, 5)
    first = np.arange(settings.comparisons) % 5 == 0
    drawn.labels[first] = 1 - drawn.labels[first]
    after = experiment.learned(settings, world, drawn, 5)
    torch.testing.assert_close(before.auxiliary[first], after.auxiliary[first])
    assert not torch.equal(before.auxiliary[~first], after.auxiliary[~first])
    of_first = first.repeat(2)
    torch.testing.assert_close(
        before.references.auxiliary[of_first], after.references.auxiliary[of_first]
    )
    seen = experiment.learned(settings, world, drawn, 1).auxiliary
    likelihood = [
        (drawn.labels * p + (1 - drawn.labels) * (1 - p)).mean()
        for p in (seen.numpy(), after.auxiliary.numpy())
    ]
    assert likelihood[0] > likelihood[1]


def test_a_learned_model_on_many_labels_is_the_truth_of_its_family():
    from experiments.control_variate import experiment

    settings = settings_of("control_variate", "quick").model_copy(update={"ridge": 1e-6})
    world = settings.truths["intransitive"].world(0)
    drawn = world.draw(40_000, 1, seed=1, repetitions=1)
    found = experiment.learned(settings, world, drawn, 2).auxiliary.numpy()
    truth = drawn.look_up(world.preference)[0]
    assert np.abs(found - truth).max() < 0.1
    assert np.abs(found - truth).mean() < 0.02


def test_a_ratio_covers_the_worlds():
    from experiments.common import tabular as experiment

    rng = np.random.default_rng(0)
    below = [rng.gamma(2, 1, 5) for _ in range(50)]
    found = experiment.ratio([0.7 * values for values in below], below)
    assert found.estimate == pytest.approx(0.7)
    assert experiment.written(experiment.ratio(below, below)) == "the same"
    above = [values + rng.normal(0, 1, 5) for values in below]
    found = experiment.ratio(above, below)
    assert found.low < np.sum(above) / np.sum(below) == pytest.approx(found.estimate)


def never_worse(rows: list[dict]) -> None:
    """Where rows share references: intervals end at most 2 % above plain, and gains are kept."""
    fitted = [row for row in rows if row["coefficient"] == "fitted"]
    assert len(fitted) == 36
    for row in fitted:
        assert (row["ratio"]["high"] or row["ratio"]["estimate"]) <= 1.02, row
    gains = {
        row["cell"]: row["ratio"]["high"]
        for row in fitted
        if (row["truth"], row["auxiliary"]) == ("intransitive", "true")
    }
    assert all(gains[cell] < 1 for cell in ("40 x 10, M = 4", "32 x 60, M = 8", "20 x 10, M = 4"))
    alone = [r for r in rows if r["truth"] == "intransitive" and r["auxiliary"] == "true"]
    worst = {r["cell"]: r["ratio"]["low"] for r in alone if r["coefficient"] == "1.0"}
    assert worst["10 x 40, M = 2"] > 8


def test_the_targets_hold_in_the_committed_results():
    """At most 0.6 in the intransitive world; a useless model costs at most 5 %."""
    found = committed("control_variate")
    check_bias(found["bias"])
    best, safe = found["targets"].values()
    assert best["estimate"] <= 0.6
    assert set(safe) == {"Bradley-Terry", "intransitive"}
    for one in safe.values():
        assert one["high"] <= 1.05
    never_worse(found["shared_references"])
    rows = [r for r in found["errors"] if r["auxiliary"] == "useless" and r["pairs"] == 8]
    paired = [r["repetitions"] for r in rows if r["truth"] in safe]
    assert min(paired) >= 2000
