"""Our trainer against TRL's on identical optimiser steps: pairs per second and peak memory.

    python -m benchmarks.trainer [--task dpo|reward] [--reference cached|live] [--bf16]
                                 [--size 1m|8m] [--steps 12] [--batch 16] [--repeats 3]
                                 [--json benchmarks/results/speed.json]

Both trainers see the same pairs in the same order, from the same weights, with the same optimiser,
in processes of their own that alternate. Figures are medians over repetitions of the median over
steps (the first two left out); a cached reference is computed before the clock starts, by both.
Losses are printed side by side: in float32 they agree to rounding. Needs `trl`, no network: the
model is a small Llama with random weights, its tokenizer is trained on the data. The data are HH
pairs where SUREFOOT_SUITES names the folder of suites, else a synthetic text world. Peak memory is
the process's largest resident set, imports included; on a GPU, what torch allocated there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

SIZES = {"1m": (128, 4, 352), "8m": (320, 6, 880)}
WARM_UP = 2


def main() -> None:
    options = _options()
    if options.child == "prepare":
        _prepare(Path(options.folder), options)
        return
    if options.child:
        print(json.dumps(_run(options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        _in_a_process("prepare", folder, options)
        found: dict[str, list[dict[str, Any]]] = {"surefoot": [], "trl": []}
        for repetition in range(options.repeats):
            names = ["surefoot", "trl"] if repetition % 2 == 0 else ["trl", "surefoot"]
            for name in names:
                done = _in_a_process(name, folder, options)
                found[name].append(json.loads(done.splitlines()[-1]))
    _show(found, options)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--task", choices=("dpo", "reward"), default="dpo")
    parser.add_argument("--reference", choices=("cached", "live"), default="cached")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--size", choices=tuple(SIZES), default="1m")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="a file to put the figures into")
    parser.add_argument("--child", choices=("prepare", "surefoot", "trl"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _prepare(folder: Path, options: argparse.Namespace) -> None:
    """Model, tokenizer and pairs into a folder that all processes read."""
    from surefoot.worlds.language_model import make_llama, make_tokenizer

    rows = _pairs()
    texts = [row["prompt"] + row[side] for row in rows for side in ("chosen", "rejected")]
    tokenizer = make_tokenizer(texts, 2048, begin=False)
    tokenizer.save_pretrained(folder / "model")
    hidden, layers, inner = SIZES[options.size]
    make_llama(
        tokenizer,
        seed=0,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=inner,
        max_position_embeddings=1024,
    ).save_pretrained(folder / "model")

    def fits(row: dict[str, str]) -> bool:  # nothing is cut: the two cut differently
        sides = (row["prompt"] + row[side] for side in ("chosen", "rejected"))
        return max(len(tokenizer(text)["input_ids"]) for text in sides) < options.max_length - 4

    kept = [row for row in rows if fits(row)][: options.steps * options.batch]
    if len(kept) < options.steps * options.batch:
        sys.exit(f"{len(kept)} pairs are too few for {options.steps} steps of {options.batch}.")
    (folder / "pairs.json").write_text(json.dumps(kept))


def _pairs() -> list[dict[str, str]]:
    """Prompt, chosen and rejected as plain text, in random order."""
    import numpy as np

    from surefoot.data import read_preferences
    from surefoot.data.text import to_text
    from surefoot.worlds import TextWorld

    place = os.environ.get("SUREFOOT_SUITES")
    if place:
        pairs = read_preferences(Path(place) / "hh_rlhf" / "harmless-base.test.jsonl.gz")
    else:
        pairs = TextWorld().training(0).observed
    rows = []
    for prompt, a, b, label in pairs.read("prompt", "response_a", "response_b", "label"):
        chosen, rejected = (a, b) if label > 0.5 else (b, a)
        one = {
            "prompt": f"Question: {to_text(prompt)}\n\nAnswer:",
            "chosen": f" {to_text(chosen)}",
            "rejected": f" {to_text(rejected)}",
        }
        if one["chosen"].strip() and one["rejected"].strip() and one["chosen"] != one["rejected"]:
            rows.append(one)
    order = np.random.default_rng(0).permutation(len(rows))
    return [rows[i] for i in order]


def _command(name: str, folder: str, options: argparse.Namespace) -> list[str]:
    """The command of a child: the same options, and which of the two it is."""
    command = [sys.executable, "-m", "benchmarks.trainer", "--child", name, "--folder", folder]
    for option, value in vars(options).items():
        flag = f"--{option.replace('_', '-')}"
        if value is True:
            command.append(flag)
        elif value not in (None, False) and option not in ("child", "folder"):
            command += [flag, str(value)]
    return command


def _in_a_process(name: str, folder: str, options: argparse.Namespace) -> str:
    """What a child prints. This process stays small: a child's peak begins at its parent's."""
    with tempfile.TemporaryDirectory() as cache:  # nothing is at hand from the repetition before
        done = subprocess.run(
            _command(name, folder, options),
            env=os.environ | {"SUREFOOT_CACHE": cache},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _run(options: argparse.Namespace) -> dict[str, Any]:
    """Train with one of the two; seconds of every step, losses, peak memory in MB."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    import transformers
    from datasets import Dataset, disable_progress_bars

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    disable_progress_bars()
    folder = Path(options.folder)
    rows = Dataset.from_list(json.loads((folder / "pairs.json").read_text()))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "model")
    cuda = torch.cuda.is_available()
    common = {
        "output_dir": str(folder / options.child),
        "max_steps": options.steps,
        "per_device_train_batch_size": options.batch,
        "train_sampling_strategy": "sequential",
        "max_length": options.max_length,
        "learning_rate": 1e-4,
        "lr_scheduler_type": "constant",
        "bf16": options.bf16,
        "use_cpu": not cuda,
        "logging_steps": 1,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    clock = _clock(transformers.TrainerCallback)
    make = _ours if options.child == "surefoot" else _theirs
    trainer = make(options, common, rows, tokenizer, str(folder / "model"), clock)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else _peak_mb()
    return {
        "seconds": clock.seconds[WARM_UP:],
        "losses": clock.losses,
        "peak_mb": peak,
        "where": "GPU" if cuda else f"CPU, {torch.get_num_threads()} threads",
    }


def _ours(options, common, rows, tokenizer, place, clock) -> Any:
    from surefoot.training import PreferenceConfig, PreferenceTrainer

    model = _model(options, place)
    beside = {"beta": 0.1, "reference": options.reference} if options.task == "dpo" else {}
    return PreferenceTrainer(
        model=model,
        args=PreferenceConfig(**common, **beside),
        train_dataset=rows,
        processing_class=tokenizer,
        callbacks=[clock],
    )


def _theirs(options, common, rows, tokenizer, place, clock) -> Any:
    from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

    common = {**common, "gradient_checkpointing": False}
    model = _model(options, place)
    if options.task == "reward":
        return RewardTrainer(
            model=model,
            args=RewardConfig(**common),
            train_dataset=rows,
            processing_class=tokenizer,
            callbacks=[clock],
        )
    cached = options.reference == "cached"
    return DPOTrainer(
        model=model,
        ref_model=None if cached else _model(options, place),
        args=DPOConfig(**common, beta=0.1, precompute_ref_log_probs=cached),
        train_dataset=rows,
        processing_class=tokenizer,
        callbacks=[clock],
    )


def _model(options: argparse.Namespace, place: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    if options.task == "dpo":
        return AutoModelForCausalLM.from_pretrained(place)
    torch.manual_seed(0)  # both draw the same head
    return AutoModelForSequenceClassification.from_pretrained(place, num_labels=1)


def _clock(base: type) -> Any:
    class Clock(base):
        """Seconds and loss of every step."""

        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.losses: list[float] = []

        def on_step_begin(self, *given: Any, **named: Any) -> None:
            _wait()
            self.begun = time.perf_counter()

        def on_step_end(self, *given: Any, **named: Any) -> None:
            _wait()
            self.seconds.append(time.perf_counter() - self.begun)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                self.losses.append(float(logs["loss"]))

    return Clock()


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _peak_mb() -> float:
    """Largest resident set so far: kilobytes on Linux, bytes on macOS."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _show(found: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> None:
    rates = {
        name: statistics.median(options.batch / statistics.median(r["seconds"]) for r in runs)
        for name, runs in found.items()
    }
    peaks = {name: statistics.median(r["peak_mb"] for r in runs) for name, runs in found.items()}
    gap = max(
        abs(a - b)
        for a, b in zip(found["surefoot"][0]["losses"], found["trl"][0]["losses"], strict=True)
    )
    precision = "bfloat16" if options.bf16 else "float32"
    reference = f", reference {options.reference}" if options.task == "dpo" else ""
    where = found["surefoot"][0]["where"]
    name = (
        f"{options.task} against TRL {version('trl')}, {options.size}, {precision}{reference}, "
        f"steps of {options.batch}, {where}"
    )
    said = (
        f"surefoot {rates['surefoot']:.1f} pairs/s, TRL {rates['trl']:.1f} pairs/s, ratio "
        f"{rates['surefoot'] / rates['trl']:.2f}; peak memory {peaks['surefoot']:.0f} and "
        f"{peaks['trl']:.0f} MB; losses differ by at most {gap:.1e}"
    )
    print(f"{name}: {said}")
    if options.json:
        from benchmarks.speed import keep  # torch, which a child measures the memory of

        keep(options.json, name, said, {"rates": rates, "peak_mb": peaks, "loss_gap": gap})


if __name__ == "__main__":
    main()
