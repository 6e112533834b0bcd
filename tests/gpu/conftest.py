"""Every test runs twice: on a GPU (marked `gpu`, skipped where there is none), and on the CPU.

The run on the CPU shows that the test itself is sound; what it says of a GPU, only a GPU can show.
"""

from __future__ import annotations

import warnings

import pytest
import torch
from language_models import byte_tokenizer, llama, pairs

from surefoot.training import PreferenceConfig, PreferenceTrainer


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request) -> torch.device:
    """Where a test runs."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no GPU: torch.cuda.is_available() is False")
    return torch.device(request.param)


@pytest.fixture
def trainer(tmp_path, device):
    """A trainer of a small policy on the device; trained unless `train` is False."""

    def make(model=None, data=None, train=True, on=device, tokenizer=None, **options):
        objective, peft = options.pop("objective", None), options.pop("peft_config", None)
        options = {
            **{"output_dir": str(tmp_path / "run"), "use_cpu": on.type == "cpu"},
            **{"disable_tqdm": True, "save_strategy": "no", "logging_steps": 1},
            **{"per_device_train_batch_size": 4, "max_steps": 3, "learning_rate": 1e-3},
        } | options
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = PreferenceTrainer(
                llama() if model is None else model,
                PreferenceConfig(**options),
                pairs(12) if data is None else data,
                processing_class=tokenizer or byte_tokenizer(),
                objective=objective,
                peft_config=peft,
            )
            assert made.args.device.type == on.type
            if train:
                made.train()
        return made

    return make
