"""A run folder: what every run writes beside its model, and what later commands read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from surefoot.data import Preferences
from surefoot.data.checks import DamageReport
from surefoot.data.prompts import training_prompt_keys
from surefoot.data.writing import write_preferences
from surefoot.training.config import RunConfig
from surefoot.training.manifest import manifest, model_card, write_json

PROMPTS = "training-prompts.safetensors"
HELD_OUT = "held-out.jsonl"
#: What a run writes into its folder, and all that overwriting it takes away.
RUN_FILES = (
    *("model*.safetensors", "model.safetensors.index.json", "surefoot.json", "config.yaml"),
    *("manifest.json", "damage.json", "README.md", PROMPTS, HELD_OUT, "config.json"),
    *("generation_config.json", "tokenizer*.json", "special_tokens_map.json", "vocab.*"),
    *("merges.txt", "chat_template.jinja", "adapter_*", "training_args.bin"),
)
_RUN_FOLDERS = ("checkpoint-*", "runs")


@dataclass(frozen=True)
class TrainingData:
    """Comparisons that are ready to train on.

    Attributes:
        train, held_out: the two sides of the split; `held_out` is None where none was asked for.
        damage: the damage report of all that was read.
        removed: number of damaged rows that were taken out.
    """

    train: Preferences
    held_out: Preferences | None
    damage: DamageReport
    removed: int


def clear_run(folder: Path) -> None:
    """Take away what earlier runs wrote into this folder and its `seed-*` folders."""
    for seed in folder.glob("seed-*"):
        if seed.is_dir():
            clear_run(seed)
            if not any(seed.iterdir()):
                seed.rmdir()
    for pattern in RUN_FILES:
        for path in folder.glob(pattern):
            path.unlink()
    for pattern in _RUN_FOLDERS:
        for path in folder.glob(pattern):
            shutil.rmtree(path)


def write_run(
    folder: Path,
    config: RunConfig,
    data: TrainingData,
    figures: Mapping[str, Any],
    readable: Mapping[str, str],
    warnings: Sequence[str],
) -> None:
    """Write what a run says of itself; the model is there already.

    Args:
        folder: the run folder.
        config: complete, so that it runs again.
        data: what was trained on.
        figures: for the manifest.
        readable: the most important ones, for the model card.
        warnings: sentences for both.
    """
    (folder / "config.yaml").write_text(config.to_yaml())
    keys = torch.tensor(sorted(training_prompt_keys(data.train)), dtype=torch.int64)
    save_file({"keys": keys}, folder / PROMPTS)
    if data.held_out is not None:
        write_preferences(data.held_out, folder / HELD_OUT)
    write_json(folder / "damage.json", data.damage.to_dict())
    described = {
        "train": list(config.data.train),
        "fingerprint": data.train.fingerprint,
        "rows": len(data.train),
        "held_out_rows": 0 if data.held_out is None else len(data.held_out),
        "removed_rows": data.removed,
        "unreadable_rows": len(data.train.faults),
    }
    written = manifest(described, figures, config.training.seed) | {"warnings": list(warnings)}
    write_json(folder / "manifest.json", written)
    pairs = f"{len(data.train)} ({data.removed} damaged removed)"
    damage = [f"{f.kind}: {f.count} row(s). {f.meaning}" for f in data.damage.findings]
    card = model_card(config, {"pairs": pairs, **readable}, [*warnings, *damage])
    (folder / "README.md").write_text(card)


def saved_seed(folder: str | Path) -> int | None:
    """The training seed of a saved run; None where it does not say."""
    path = Path(folder) / "manifest.json"
    return int(json.loads(path.read_text())["seed"]) if path.is_file() else None


def saved_prompts(folder: str | Path) -> set[int]:
    """Keys of the prompts that a saved run was trained on; empty where it does not say."""
    path = Path(folder) / PROMPTS
    return set(load_file(path)["keys"].tolist()) if path.is_file() else set()
