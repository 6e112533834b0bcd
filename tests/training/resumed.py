"""Trains one case, from the start or from the last checkpoint, in a process that a test kills."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from pathlib import Path

import torch
from doubly_robust import doubly_robust_trainer
from language_models import byte_tokenizer, llama, llama_reward, pairs
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import PreTrainedModel, TrainerCallback

from surefoot.objectives import Objective
from surefoot.training.language.preference_config import PreferenceConfig
from surefoot.training.language.trainer import PreferenceTrainer

LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}
RUNNING = {"risk": {"kind": "group", "unit": "source", "step_size": 2}}
CASES = {
    "policy": (llama, {"risk": "cvar"}, None),
    "adapter": (llama, {"risk": "kl-penalised"}, LORA),
    "reward with a state": (llama_reward, RUNNING, None),
    "running duals": (llama, {"risk": {"kind": "kl", "estimate": "dual"}}, None),
    "doubly robust": (llama, None, None),
}
STEPS = 12  # 3 epochs of 4


class Killed(TrainerCallback):
    """Dies at the end of a step, without a word."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


class Stopped(Killed):
    """Ends the run there, in peace."""

    def on_step_end(self, args, state, control, **_):
        control.should_training_stop = state.global_step == self.step
        control.should_save = state.global_step % args.save_steps == 0
        return control


def die_at_writing(name: str) -> None:
    """The checkpoint of step 6 is on disk up to half of this file when the process dies."""

    def watch(event: str, arguments: tuple) -> None:
        if event == "open" and f"checkpoint-6/{name}" in str(arguments[0]):
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(save):
        def half(data, place, *others, **options):
            written = save(data, place, *others, **options)
            file = Path(place) / name if Path(place).is_dir() else Path(place)
            if f"checkpoint-6/{name}" in str(file) and file.is_file():
                os.truncate(file, file.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return written

        return half

    sys.addaudithook(watch)  # what Python opens; the others write below it
    torch.save = dying(torch.save)
    PreTrainedModel.save_pretrained = dying(PreTrainedModel.save_pretrained)


def make(folder: Path, case: str, seed: int = 0) -> PreferenceTrainer:
    build, objective, adapter = CASES[case]
    drpo = objective is None
    return (doubly_robust_trainer if drpo else PreferenceTrainer)(
        model=build(seed),
        args=PreferenceConfig(
            output_dir=str(folder / "run"),
            use_cpu=True,
            disable_tqdm=True,
            save_steps=2,
            save_total_limit=1,
            logging_steps=1,
            num_train_epochs=3,
            learning_rate=5e-3,
            lr_scheduler_type="cosine",
            warmup_steps=3,
            per_device_train_batch_size=2,
            gradient_accumulation_steps=2,
        ),
        train_dataset=pairs(15, source=["one", "two", "three"]),
        processing_class=byte_tokenizer(),
        objective={"samples": 2} if drpo else Objective(**objective),
        peft_config=LoraConfig(**adapter) if adapter else None,
    )


def main(folder: Path, case: str, how: str, kill: str = "") -> None:
    """Train a case into a folder.

    Args:
        folder: for the run, and at its end for the weights.
        case: name of it.
        how: `start`, or `resume`.
        kill: where this process dies: the number of a step, or the name of a file of the checkpoint
            of step 6, at whose writing it does.
    """
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    trainer = make(folder, case)
    if kill.isdigit():
        trainer.add_callback(Killed(int(kill)))
    elif kill:
        die_at_writing(kill)
    trainer.train(resume_from_checkpoint=how == "resume")
    weights = {k: v.contiguous() for k, v in trainer.model.state_dict().items()}
    state = {f"risk {k}": v for k, v in trainer.risk_state.items()}
    save_file(weights | state, folder / "end.safetensors")
