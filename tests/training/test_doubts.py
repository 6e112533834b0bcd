"""A run that failed says so."""

from __future__ import annotations

import math

import pytest
import torch

from surefoot.objectives import Evidence, Objective
from surefoot.objectives.evidence import ReferencePairs
from surefoot.statistics import mean
from surefoot.training.language.finished import doubts, ignorant_loss

LABELS = torch.tensor([1.0, 0.0, 1.0, 0.5])


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (Objective(), math.log(2)),
        (Objective(labels={"kind": "flip-corrected", "flip_rate": 0.2}), math.log(2)),
        (Objective(loss="hinge"), 1.0),
        (Objective(loss={"kind": "squared", "tau": 0.25}), 4.0),  # (1 / (2 tau))^2
    ],
)
def test_what_a_model_that_knows_nothing_loses(objective, expected):
    assert ignorant_loss(objective, Evidence(LABELS)) == pytest.approx(expected, abs=1e-6)


def test_reference_pairs_are_counted_apart():
    references = ReferencePairs(
        auxiliary=torch.tensor([0.9, 0.2, 0.7]),
        sets=torch.tensor([0, 0, 1]),
        of=torch.tensor([0, 0, 1, 1]),
        independent=torch.tensor([2.0, 1.0]),
    )
    evidence = Evidence(LABELS, torch.tensor([0.8, 0.1, 0.6, 0.5]), references)
    labels = {"kind": "control-variate", "coefficient": 1.0}
    assert ignorant_loss(Objective(labels=labels), evidence) == pytest.approx(math.log(2), abs=1e-6)


def test_only_a_failed_run_is_doubted():
    def told(loss: float, right: int) -> str:
        accuracy = mean([1.0] * right + [0.0] * (100 - right), covers="held-out pairs")
        return " ".join(doubts({"mean_loss": loss}, math.log(2), accuracy))

    assert told(0.65, 62) == ""
    assert told(0.75, 45) == ""  # within the noise of a few steps, and of 100 pairs
    assert "diverged: the last mean loss is 10.7" in told(10.67, 50)
    assert "worse than a coin: it orders .220" in told(0.6, 22)
    assert doubts({}, math.log(2), None) == []
