"""A run goes on as it began, or says what differs; from a checkpoint that is whole."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch
from language_models import llama_reward, pairs

from surefoot.errors import ConfigurationError
from surefoot.training import PreferenceTrainer, train

pytestmark = pytest.mark.filterwarnings("ignore")
SAVING = {"save_strategy": "steps", "save_steps": 2}
REFERENCES = {"references": [["one", "another"]], "reference_auxiliary": [[0.8]], "auxiliary": 0.7}
OTHER_TEXTS = [
    row | {"prompt": row["prompt"].replace("question", "a mystery")} for row in pairs(12)
]
OTHER_LABELS = [row | {"label": 1 - row["label"]} for row in pairs(12)]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"learning_rate": 2e-3}, r"learning_rate was 0.001 and is 0.002\."),
        ({"lr_scheduler_type": "constant"}, "lr_scheduler_type was 'linear' and is 'constant'"),
        ({"num_train_epochs": 2}, "num_train_epochs was 1 and is 2"),
        ({"beta": 0.3}, "beta was 0.1 and is 0.3"),
        ({"seed": 1}, "seed was 42 and is 1"),
        ({"per_device_train_batch_size": 2}, "pairs in a step was 4 and is 2"),
        ({"objective": {"loss": "hinge"}}, "loss was .*logistic.* and is .*hinge"),
        ({"objective": {"risk": {"kind": "cvar"}}}, "risk was .*mean.* and is .*cvar"),
        ({"data": OTHER_TEXTS}, "other training data"),
        ({"data": OTHER_LABELS}, "other training data"),
        ({"data": pairs(12, weight=[1.0, 2.0])}, "other training data"),
        ({"learning_rate": 2e-3, "beta": 0.3}, "beta was .*; learning_rate was"),
    ],
    ids=str,
)
def test_another_run_is_not_resumed(trained, tmp_path, other, message):
    trained(**SAVING)
    with pytest.raises(ConfigurationError, match=f"checkpoint-2 is of another run: .*{message}"):
        trained(**SAVING, **other, resume=str(tmp_path / "run" / "checkpoint-2"))


def test_sources_and_references_are_part_of_the_data(trained):
    """Of a risk over sources, and of VRPO."""
    by_source = {"objective": {"risk": {"kind": "cvar", "unit": "source"}}, "train": False}
    keys = [trained(data=pairs(12, source=s), **by_source).pairs.key for s in (["x", "y"], ["x"])]
    labels = {"objective": {"labels": {"kind": "control-variate", "coefficient": 0.5}}}
    for auxiliary in (0.8, 0.3):
        columns = REFERENCES | {"reference_auxiliary": [[auxiliary]]}
        keys.append(trained(data=pairs(12, **columns), **labels, train=False).pairs.key)
    assert len(set(keys)) == 4


def test_everything_that_is_known_is_part_of_the_data(trained):
    """Whatever fields evidence has: one that differs is another run."""
    labels = {"objective": {"labels": {"kind": "control-variate", "coefficient": 0.5}}}
    made = trained(data=pairs(12, **REFERENCES), **labels, train=False).pairs
    keys, named = {made.key}, [name for name, _ in made.evidence.named()]
    for name in named:
        where, _, own = name.rpartition(".")
        holder = made.evidence.references if where else made.evidence
        changed = replace(holder, **{own: getattr(holder, own) + 1})
        evidence = replace(made.evidence, references=changed) if where else changed
        keys.add(replace(made, evidence=evidence).key)
    assert len(keys) == 1 + len(named) == 9


def test_what_changes_no_number_may_change(trained, tmp_path, weights):
    whole = weights(trained(**SAVING).model)
    resumed = trained(
        **SAVING | {"save_steps": 1}, per_device_train_batch_size=2, gradient_accumulation_steps=2,
        logging_steps=7, data=list(pairs(12)), resume=str(tmp_path / "run" / "checkpoint-2"),
    )  # fmt: skip
    torch.testing.assert_close(weights(resumed.model), whole, rtol=0, atol=1e-6)


def test_a_reward_model_has_no_beta(trained, tmp_path):
    trained(llama_reward(), **SAVING)
    trained(llama_reward(), **SAVING, beta=0.3, resume=str(tmp_path / "run" / "checkpoint-2"))


@pytest.mark.parametrize("lost", ["trainer_state.json", "surefoot-checkpoint.json"])
def test_a_run_passes_over_a_checkpoint_that_was_not_finished(
    configure, policy, tmp_path, monkeypatch, lost
):
    config = configure({"kind": "policy", "model": policy}, {"save_every": 1})
    step = PreferenceTrainer.training_step

    def until_the_third(self, *given, **named):
        if self.state.global_step == 2:
            raise KeyboardInterrupt
        return step(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(PreferenceTrainer, "training_step", until_the_third)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    shutil.copytree(tmp_path / "run" / "checkpoint-2", tmp_path / "run" / "checkpoint-3")
    (tmp_path / "run" / "checkpoint-3" / lost).unlink()
    begins = []
    with monkeypatch.context() as patch:
        patch.setattr(
            PreferenceTrainer,
            "training_step",
            lambda self, *given, **named: (
                begins.append(self.state.global_step) or step(self, *given, **named)
            ),
        )
        train(config, resume=True)
    assert begins == [2, 3]
