"""A run folder: what every run writes beside its model, and what later commands read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from surefoot.data import Preferences
from surefoot.data.checks import DamageReport
from surefoot.data.prompts import training_prompt_keys
from surefoot.data.writing import write_preferences
from surefoot.errors import ConfigurationError
from surefoot.scorers.clusters import FILE as CLUSTERS
from surefoot.scorers.clusters import PromptClusters
from surefoot.scorers.loading import run_folders_of
from surefoot.training.config import FileOptions
from surefoot.training.manifest import Described, manifest, model_card, write_json

PROMPTS = "training-prompts.safetensors"
HELD_OUT = "held-out.jsonl"
#: What a run writes into its folder, and all that overwriting it takes away.
RUN_FILES = (
    *("model*.safetensors", "model.safetensors.index.json", "surefoot.json", "config.json"),
    *("damage.json", PROMPTS, HELD_OUT, CLUSTERS),
    *("generation_config.json", "tokenizer*.json", "special_tokens_map.json", "vocab.*"),
    *("merges.txt", "chat_template.jinja", "adapter_*", "training_args.bin"),
)
#: The same, of names that other files have too: taken away where a manifest or a checkpoint says
#: that a run was here. The manifest is the last, so that this is still known to a second process.
_IN_A_RUN = ("README.md", "config.yaml", "runs/*/events.out.tfevents*", "manifest.json")
_CHECKPOINTS = "checkpoint-*/surefoot-checkpoint.json"
#: What makes configurations equal that differ in their output.
_ANYWHERE = {"output": ""}


@dataclass(frozen=True)
class TrainingData:
    """Comparisons that are ready to train on.

    Attributes:
        train, held_out: the two sides of the split; `held_out` is None where none was asked for.
        damage: the damage report of all that was read.
        removed: number of damaged rows that were taken out.
        clusters: of the prompts, where the risk is over such; the rows have the column `cluster`.
    """

    train: Preferences
    held_out: Preferences | None
    damage: DamageReport
    removed: int
    clusters: PromptClusters | None = None


def clear_run(folder: Path) -> None:
    """Take away what earlier runs wrote into this folder and its `seed-*` folders.

    Several processes may do so at once.
    """
    for seed in _found(folder, "seed-*"):
        if _is_run(seed):
            clear_run(seed)
            _remove_empty(seed)
    for pattern in (*RUN_FILES, *(_IN_A_RUN if _is_run(folder) else ())):
        for path in _found(folder, pattern):
            path.unlink(missing_ok=True)
    clear_checkpoints(folder)
    for events in _found(folder, "runs/*"):
        _remove_empty(events)
    _remove_empty(folder / "runs")


def clear_checkpoints(folder: Path) -> None:
    """Take away the checkpoints of a run, and no folder of another origin with such a name."""
    for path in _found(folder, _CHECKPOINTS):
        shutil.rmtree(path.parent, ignore_errors=True)


def _is_run(folder: Path) -> bool:
    try:
        ours = "surefoot" in json.loads((folder / "manifest.json").read_text())["versions"]
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    return ours or bool(_found(folder, _CHECKPOINTS))


def _found(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except FileNotFoundError:  # another process is ahead
        return []


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it holds something, or is gone
        folder.rmdir()


def write_run(
    folder: Path,
    config: Described,
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
    if data.clusters is not None:
        data.clusters.save(folder)
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
    (folder / "README.md").write_text(card, encoding="utf-8")


def is_finished(folder: Path, config: FileOptions) -> bool:
    """Whether this configuration was run to its end in a folder, which leaves nothing to resume.

    Raises:
        ConfigurationError: the finished run there is another one.
    """
    if not (folder / "manifest.json").is_file():
        return False
    try:
        saved = type(config).read(folder / "config.yaml").model_copy(update=_ANYWHERE)
    except ConfigurationError:  # a run of another kind
        saved = None
    if saved != config.model_copy(update=_ANYWHERE):
        raise ConfigurationError(
            f"{folder} holds the finished run of another configuration (its config.yaml). Name "
            "another output, or train anew with --overwrite."
        )
    return True


def saved_seed(folder: str | Path) -> int | None:
    """The training seed of a saved run; None where it does not say."""
    path = Path(folder) / "manifest.json"
    return int(json.loads(path.read_text())["seed"]) if path.is_file() else None


def saved_prompts(place: str | Path) -> set[int]:
    """Keys of the prompts that a saved run, or one of an ensemble, was trained on.

    Empty where it does not say.
    """
    paths = [folder / PROMPTS for folder in run_folders_of(place)]
    found = [load_file(path)["keys"].tolist() for path in paths if path.is_file()]
    return set().union(*found)
