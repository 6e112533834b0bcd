"""Small trainers of TRL on the spot, plain and ours."""

from __future__ import annotations

import pytest
import torch
from language_models import byte_tokenizer, llama, pairs, save
from letters import Letters
from transformers import AutoModelForCausalLM

from surefoot.data import Preferences
from surefoot.objectives import Risk
from surefoot.online.adversary import Adversary
from surefoot.online.progress import Progress
from surefoot.online.prompts import prompt_set
from surefoot.online.trl_adapter import ALGORITHMS


@pytest.fixture(scope="session")
def policy_folder(tmp_path_factory) -> str:
    return save(tmp_path_factory.mktemp("policy") / "model", llama(), byte_tokenizer())


@pytest.fixture
def prompts():
    """12 prompts in two groups of different sizes."""
    rows = [{**row, "group": "rare" if i % 3 == 0 else "common"} for i, row in enumerate(pairs(12))]
    return Preferences.from_rows(rows, "prompts")


@pytest.fixture
def trainers(policy_folder, prompts, tmp_path):
    """Makes a trainer of ours, or TRL's own (`plain=True`), on 12 prompts; trains it if asked."""

    def make(
        algorithm="rloo", risk="mean", plain=False, train=True, reward=None, progress=None,
        baseline=0.0, rate=0.5, stop_kl=None, watch=None, stop_drop=None, **options,
    ):  # fmt: skip
        tokenizer = byte_tokenizer()
        kind = Risk.parse(risk)
        found = prompt_set(prompts, False, tokenizer, kind, 200)
        ours, config = ALGORITHMS[algorithm]
        args = config(
            **{
                "output_dir": str(tmp_path / "run"),
                "use_cpu": True,
                "bf16": False,
                "report_to": [],
                "save_strategy": "no",
                "logging_steps": 1,
                "per_device_train_batch_size": 8,
                "gradient_accumulation_steps": 2,
                "num_generations": 4,
                "max_completion_length": 6,
                "learning_rate": 1e-3,
                "beta": 0.1,
                "disable_dropout": True,
                "gradient_checkpointing": False,
                "max_steps": 3,
                "disable_tqdm": True,
                **options,
            }
        )
        named = {
            "model": AutoModelForCausalLM.from_pretrained(policy_folder, dtype=torch.float32),
            "reward_funcs": reward or Letters(),
            "args": args,
            "train_dataset": found.dataset(tokenizer),
            "processing_class": tokenizer,
        }
        if plain:
            trainer = ours.__bases__[1](**named)  # TRL's own
        else:
            adversary = Adversary(kind, found.names, found.mass, rate)
            progress = progress or Progress(
                adversary,
                found.groups,
                args.beta,
                torch.full((12,), baseline, dtype=torch.float64),
                torch.zeros(12, dtype=torch.float64) if watch else None,
                stop_kl,
                stop_drop,
            )
            trainer = ours(**named, progress=progress, watch=watch)
        if train:
            trainer.train()
        return trainer

    return make


@pytest.fixture
def weights():
    """Every parameter of a model as one vector."""

    def of(model):
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    return of
