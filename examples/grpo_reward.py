"""A reward model as the reward of TRL's `GRPOTrainer`, and a risk that weighs its prompts.

    python examples/grpo_reward.py demo-full/language-model demo-full/train.jsonl

Groups of prompts that gained least over the data's own responses count more, within the ball of the
risk (Mandal et al., arXiv 2503.00539). `surefoot train` with `scorer.kind: online` does this with
the KL to the reference weighed alike, checkpoints and several processes.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from surefoot.data import Preferences, read_preferences
from surefoot.data.text import to_text
from surefoot.objectives import Risk
from surefoot.online import Adversary
from surefoot.scorers import EmbeddingRewardModel


class WeighedReward:
    """Rewards of completions, times the weight of the group that their prompt is of."""

    def __init__(self, model: EmbeddingRewardModel, groups: list[str]) -> None:
        self.model, self.__name__ = model, "weighed_reward"
        names, counts = np.unique(groups, return_counts=True)
        self.names = names.tolist()
        risk = Risk.parse({"kind": "kl-penalised", "temperature": 0.1, "unit": "group"})
        self.adversary = Adversary(risk, self.names, torch.from_numpy(counts))

    def __call__(
        self, prompts: list[str], completions: list[str], *, group: list[str], own: list[float], **_
    ) -> list[float]:
        """Rewards of P completions; `group` and `own`, the reward of the data, are columns."""
        rows = [
            {"prompt": prompt, "response_a": completion or " ", "response_b": "-", "label": 1.0}
            for prompt, completion in zip(prompts, completions, strict=True)
        ]
        rewards = torch.from_numpy(self.model.rewards(Preferences.from_rows(rows))[:, 0])
        places = torch.tensor([self.names.index(name) for name in group])
        weights = self.adversary.multipliers[places]
        self.adversary.update(places, rewards - torch.tensor(own))
        return (weights * rewards).tolist()


def main(model: str, path: str, output: str = "runs/grpo", steps: int = 3) -> WeighedReward:
    """Fit a reward model on the pairs, and train the policy by it; the reward with its weights."""
    pairs = read_preferences(path)
    groups = [str(name) for name in pairs.strings("group")]
    scorer = EmbeddingRewardModel().fit(pairs)
    reward = WeighedReward(scorer, groups)
    data = Dataset.from_dict(
        {
            "prompt": [to_text(prompt) for (prompt,) in pairs.read("prompt")],
            "group": groups,
            "own": scorer.rewards(pairs).mean(1),
        }
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=GRPOConfig(
            output,
            scale_rewards="none",  # weights would be divided out again
            num_generations=4,
            per_device_train_batch_size=8,
            max_completion_length=24,
            max_steps=steps,
            learning_rate=1e-4,
            logging_steps=1,
            bf16=False,
            use_cpu=True,
            report_to="none",
        ),
        train_dataset=data,
    )
    trainer.train()
    weights = zip(reward.names, reward.adversary.multipliers.tolist(), strict=True)
    print("weights:", ", ".join(f"{name} {weight:.2f}" for name, weight in weights))
    return reward


if __name__ == "__main__":
    main(*sys.argv[1:3])
