"""The objective in TRL's `DPOTrainer` and `RewardTrainer`, which keep everything else.

    python examples/in_trl.py demo-full/language-model demo-full/train.jsonl

A risk here is that of a micro-batch; `surefoot.training.PreferenceTrainer` computes it over the
whole step, whatever the number of micro-batches and processes.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from datasets import Dataset
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

from surefoot.data import read_preferences
from surefoot.data.text import to_text
from surefoot.objectives import Evidence, Objective


class ObjectiveDPOTrainer(DPOTrainer):
    """DPO with any objective on beta (log pi / pi_ref (chosen) - log pi / pi_ref (rejected)).

    It reads the log-probabilities of the reference that `precompute_ref_log_probs` keeps.
    """

    objective: Objective

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        tokens = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
        outputs = model(**tokens, labels=labels, fused_lm_head=True, use_cache=False)
        chosen, rejected = outputs.log_probs.sum(dim=1).chunk(2)
        ratios = chosen - inputs["ref_chosen_logps"], rejected - inputs["ref_rejected_logps"]
        margins = self.beta * (ratios[0] - ratios[1])
        loss = self.objective(margins, Evidence(torch.ones_like(margins))).value
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["rewards/margins"].append(margins.mean().item())
        return (loss, outputs) if return_outputs else loss


class ObjectiveRewardTrainer(RewardTrainer):
    """A reward model with any objective on its margins."""

    objective: Objective

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        _, outputs = super().compute_loss(model, inputs, return_outputs=True)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        margins = chosen - rejected
        loss = self.objective(margins, Evidence(torch.ones_like(margins))).value
        return (loss, outputs) if return_outputs else loss


def as_trl_reads(path: str) -> Dataset:
    """Preferences in any form that surefoot reads, ties left out, with TRL's columns."""
    pairs = read_preferences(path)
    rows = []
    read = pairs.read("prompt", "response_a", "response_b", "label")
    for prompt, first, second, label in read:
        if label != 0.5:
            order = (first, second) if label > 0.5 else (second, first)
            asked, chosen, rejected = map(to_text, (prompt, *order))
            rows.append({"prompt": asked, "chosen": chosen, "rejected": rejected})
    return Dataset.from_list(rows)


def main(model: str, path: str, output: str = "runs/in-trl", steps: int = 10) -> dict[str, Any]:
    """Train a policy and a reward model; what was logged of each."""
    data, logs = as_trl_reads(path), {}
    shared = {
        "learning_rate": 1e-3,
        "max_steps": steps,
        "per_device_train_batch_size": 8,
        "logging_steps": 1,
        "bf16": False,
        "use_cpu": True,
        "report_to": "none",
    }
    kinds = {
        "policy": (
            ObjectiveDPOTrainer,
            DPOConfig(f"{output}/policy", beta=0.1, precompute_ref_log_probs=True, **shared),
            Objective(labels={"kind": "flip-corrected", "flip_rate": 0.2}),
        ),
        "reward": (
            ObjectiveRewardTrainer,
            RewardConfig(f"{output}/reward", **shared),
            Objective(labels={"kind": "slack", "penalty": 0.5}),
        ),
    }
    for name, (trainer_class, arguments, objective) in kinds.items():
        trainer = trainer_class(model=model, args=arguments, train_dataset=data)
        trainer.objective = objective
        trainer.train()
        logs[name] = trainer.state.log_history
    return logs


if __name__ == "__main__":
    main(*sys.argv[1:3])
