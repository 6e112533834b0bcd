"""What `accelerate launch` asks for by environment is honoured, or refused with the reason."""

from __future__ import annotations

import pytest
import torch
from accelerate.state import AcceleratorState
from language_models import pairs

from surefoot.errors import ConfigurationError
from surefoot.training import train
from surefoot.training.language.preference_config import PreferenceConfig

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _fresh_state():
    """Accelerate reads the environment once in a process."""
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("ACCELERATE_USE_DEEPSPEED", "true", "its optimizer steps at every micro-batch"),
        ("ACCELERATE_USE_FSDP", "true", "every process holds the whole model"),
        ("ACCELERATE_USE_MEGATRON_LM", "true", "every process holds the whole model"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "not compiled yet"),
    ],
)
def test_what_a_launcher_cannot_have(monkeypatch, tmp_path, variable, value, why):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=f"^{variable}={value} .*is refused: .*{why}"):
        PreferenceConfig(output_dir=str(tmp_path), use_cpu=True)
    monkeypatch.setenv(variable, "no" if "DYNAMO" in variable else "false")
    PreferenceConfig(output_dir=str(tmp_path), use_cpu=True)


def test_precision_of_a_launcher_holds_in_every_pass(monkeypatch, trained):
    """Of the reference and in evaluation too."""
    seen = set()
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    trainer = trained(eval_data=pairs(3), objective={"risk": "cvar"}, train=False)
    trainer.model.lm_head.register_forward_hook(lambda *given: seen.add(given[-1].dtype))
    trainer.train()
    trainer.evaluate()
    assert seen == {torch.bfloat16}


def test_precisions_that_are_not_known(monkeypatch, trained):
    trainer = trained(train=False)
    monkeypatch.setattr(type(trainer.accelerator), "mixed_precision", "fp8")
    with pytest.raises(ConfigurationError, match="mixed precision 'fp8' is refused"):
        trained(train=False)


def test_a_run_says_its_precision_itself(monkeypatch, configure, policy):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    config = configure({"kind": "policy", "model": policy, "precision": "float32"})
    with pytest.raises(ConfigurationError, match=r"MIXED_PRECISION=bf16.*scorer\.precision"):
        train(config)
    same = configure({"kind": "policy", "model": policy, "precision": "bfloat16"})
    assert train(same).report.steps == 4
