"""What a run has to show at its end, and which evaluations it cannot give on its way."""

from __future__ import annotations

import json

import pytest

from surefoot.errors import ConfigurationError
from surefoot.training import train

pytestmark = pytest.mark.filterwarnings("ignore")


def _steps(trainer):
    return [row["step"] for row in trainer.state.log_history if "loss" in row]


@pytest.mark.parametrize(
    ("every", "logged"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (10, [5])]
)
def test_the_last_step_is_logged(trained, every, logged):
    """Once, and with the mean over the steps since the last log."""
    options = {"max_steps": 5, "objective": {"risk": "cvar"}}
    trainer = trained(logging_steps=every, **options)
    assert _steps(trainer) == logged
    each = [row for row in trained(logging_steps=1, **options).state.log_history if "loss" in row]
    since = each[logged[-2] if len(logged) > 1 else 0 :]
    (last,) = [row for row in trainer.state.log_history if row["step"] == 5 and "loss" in row]
    for name in ("loss", "margin", "effective_pairs"):
        expected = sum(row[name] for row in since) / len(since)
        assert last[name] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_where_it_stops_early(trained):
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            control.should_training_stop = state.global_step == 2

    assert _steps(trained(logging_steps=10, callbacks=[Stop()])) == [2]


def test_no_logs_are_no_logs(trained):
    assert _steps(trained(logging_strategy="no")) == []


def test_a_short_run_has_figures(configure, policy, tmp_path):
    run = train(configure({"kind": "policy", "model": policy}, {"log_every": 10}))
    assert {"loss", "margin", "effective_pairs"} <= run.report.last.keys()
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["figures"]["last"]["loss"] == run.report.last["loss"]


def test_evaluations_on_pairs_that_are_not_held_out(configure, policy, tmp_path):
    scorer, training = {"kind": "policy", "model": policy}, {"evaluate_every": 2}
    with pytest.raises(ConfigurationError, match=r"evaluate_every \(2\).*set data\.held_out"):
        train(configure(scorer, training, data={"held_out": 0}))
    train(configure(scorer, training))
    log = json.loads((tmp_path / "run" / "manifest.json").read_text())["figures"]["log"]
    assert [row["step"] for row in log if "eval_loss" in row] == [2, 4]
