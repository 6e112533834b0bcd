"""Running dual variables in training: moved once a step, in any split; evaluations see all."""

from __future__ import annotations

import pytest
import torch
from language_models import pairs

DUAL = {"kind": "kl", "radius": 0.2, "estimate": "dual"}
NAMES = {"eta", "scale", "steps"}


def test_the_state_does_not_depend_on_the_split(trained):
    found = [
        trained(objective={"risk": DUAL}, per_device_train_batch_size=size,
                gradient_accumulation_steps=4 // size).risk_state
        for size in (1, 4)
    ]  # fmt: skip
    assert set(found[0]) == NAMES
    for name in NAMES:
        torch.testing.assert_close(found[0][name], found[1][name], rtol=1e-4, atol=1e-6)
    assert float(found[0]["steps"]) == 3


def test_an_evaluation_sees_all_pairs_at_once(trained):
    trainer = trained(objective={"risk": DUAL}, eval_data=pairs(12))
    assert set(trainer.risk_state) == NAMES
    before = {name: value.clone() for name, value in trainer.risk_state.items()}
    figures = trainer.evaluate()
    exact = trained(
        objective={"risk": {**DUAL, "estimate": "step"}}, eval_data=pairs(12), train=False
    )
    exact.model.load_state_dict(trainer.model.state_dict())
    exact.reference = trainer.reference
    assert figures["eval_loss"] == pytest.approx(exact.evaluate()["eval_loss"], rel=1e-6)
    for name, value in before.items():
        assert torch.equal(trainer.risk_state[name], value)


def test_it_is_refused_over_groups(trained):
    with pytest.raises(ValueError, match="'group' remembers groups"):
        trained(objective={"risk": {**DUAL, "unit": "group"}}, data=pairs(12, group=["x", "y"]))
