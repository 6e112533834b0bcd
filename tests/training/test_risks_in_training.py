"""Risks in training: what is trimmed, regretted or remembered does not depend on the split."""

from __future__ import annotations

import pytest
import torch
from language_models import llama_reward, pairs

CASES = {
    "trimmed mean": {"kind": "mean", "trim": 0.25},
    "trim, then a ball over groups": {"kind": "kl", "unit": "group", "trim": 0.25},
    "regrets": {"kind": "tv", "radius": 0.3, "regret": True},
    "group": {"kind": "group", "step_size": 1.0, "size_adjustment": 0.5},
    "running duals": {"kind": "cvar", "level": 0.5, "estimate": "dual"},
}


@pytest.mark.parametrize("risk", CASES.values(), ids=CASES)
def test_any_split_gives_the_same_weights(trained, weights, risk):
    data = pairs(12, group=["x", "y", "y"], auxiliary=[0.9, 0.3, 0.6])
    ends = [
        trained(
            model=llama_reward(),
            data=data,
            objective={"risk": risk},
            per_device_train_batch_size=size,
            gradient_accumulation_steps=6 // size,
        )
        for size in (1, 6)
    ]
    one, other = (weights(end.model) for end in ends)
    moved = (one - weights(llama_reward())).abs().max()
    assert moved > 1e-3
    assert (one - other).abs().max() < 1e-2 * moved
    plain = trained(model=llama_reward(), data=data, per_device_train_batch_size=6, objective={})
    assert (one - weights(plain.model)).abs().max() > 0.05 * moved


def test_group_starts_from_all_the_data(trained):
    data = pairs(12, group=["x", "y", "y"])
    trainer = trained(
        model=llama_reward(),
        data=data,
        objective={"risk": {"kind": "group", "unit_mass": "pairs", "step_size": 0}},
    )
    torch.testing.assert_close(
        trainer.risk_state["weights"], torch.tensor([1 / 3, 2 / 3], dtype=torch.float64)
    )
    assert trainer.risk_state["pairs"].tolist() == [4, 8]
