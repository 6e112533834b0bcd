"""Makes trainers of small models."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from language_models import CHAT, byte_tokenizer, llama, pairs, save


@pytest.fixture(scope="module", autouse=True)
def _collect_quickly():
    """Every run collects garbage once: not among the modules, which takes longer than training."""
    import surefoot.training.language.trainer  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture
def trained(tmp_path):
    """A trainer of a small policy on 12 pairs, where nothing else is said; trained if `train`."""
    from surefoot.objectives import Objective
    from surefoot.training.language.preference_config import PreferenceConfig
    from surefoot.training.language.trainer import PreferenceTrainer

    def make(
        model=None, data=None, tokenizer=None, objective=None, train=True, eval_data=None,
        peft_config=None, callbacks=None, resume=None, **options,
    ):  # fmt: skip
        options = {
            "output_dir": str(tmp_path / "run"),
            "use_cpu": True,
            "disable_tqdm": True,
            "save_strategy": "no",
            "logging_steps": 1,
            "per_device_train_batch_size": 4,
            "num_train_epochs": 1,
            "learning_rate": 1e-3,
        } | options
        trainer = PreferenceTrainer(
            model=llama() if model is None else model,
            args=PreferenceConfig(**options),
            train_dataset=pairs(12) if data is None else data,
            eval_dataset=eval_data,
            processing_class=tokenizer or byte_tokenizer(),
            objective=Objective(**(objective or {})),
            peft_config=peft_config,
            callbacks=callbacks,
        )
        if train:
            trainer.train(resume_from_checkpoint=resume)
        return trainer

    return make


@pytest.fixture
def weights():
    """Every parameter of a model as one vector."""

    def of(model):
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    return of


@pytest.fixture
def policy(tmp_path) -> str:
    return save(tmp_path / "policy", llama(), byte_tokenizer(CHAT))


@pytest.fixture
def configure(tmp_path):
    """A configuration of a few quick steps; options by section."""
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pairs(24, source="s")))

    def make(scorer, training=None, output="run", **sections):
        from surefoot.training import RunConfig

        steps = {"max_steps": 4, "pairs_per_step": 8, "micro_batch_pairs": 4}
        return RunConfig(
            data={"train": str(data), "held_out": 0.25, **sections.pop("data", {})},
            scorer={"precision": "float32", "max_length": 96, **scorer},
            training={**steps, "learning_rate": 1e-3, "log_every": 1, **(training or {})},
            output=str(tmp_path / output),
            **sections,
        )

    return make


@pytest.fixture(scope="session")
def ends(tmp_path_factory):
    """What one process wrote of `several_processes.py`, this one, and what two did."""
    import several_processes

    folder = tmp_path_factory.mktemp("ranks")
    (folder / "1").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        several_processes.train_all(folder / "1")
    return {1: folder / "1", 2: _by_two_processes(Path(several_processes.__file__), folder / "2")}


def _by_two_processes(script, folder):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_port=0", "--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
    folder.mkdir()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SUREFOOT_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [*command, str(script), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,  # a process that waits for one that stopped would wait for ever
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder
