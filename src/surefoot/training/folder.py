"""A run folder: what every run writes beside its model, and what later commands read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from safetensors.torch import load_file

from surefoot.errors import ConfigurationError
from surefoot.options import Options, places_of
from surefoot.runs import MARK, Mark, require_finished
from surefoot.scorers.embeddings.clusters import FILE as CLUSTERS
from surefoot.scorers.ensemble_file import is_ensemble
from surefoot.scorers.loading import run_folders_of
from surefoot.scorers.storage import explained
from surefoot.training.config import SeededConfig

T = TypeVar("T")

PROMPTS = "training-prompts.safetensors"
HELD_OUT = "held-out.jsonl"
#: What a run writes into its folder, and all that overwriting it takes away.
RUN_FILES = (
    *("model*.safetensors", "model.safetensors.index.json", "surefoot.json", "config.json"),
    *("damage.json", PROMPTS, HELD_OUT, CLUSTERS),
    *("generation_config.json", "tokenizer*.json", "special_tokens_map.json", "vocab.*"),
    *("merges.txt", "chat_template.jinja", "adapter_config.json", "adapter_model*"),
    "training_args.bin",
)
#: The same, of names that other files have too: taken away where a mark, a manifest or a checkpoint
#: says that a run was here. The manifest is the last, so that this is still known to a second
#: process.
_IN_A_RUN = ("README.md", "config.yaml", "runs/*/events.out.tfevents*", "manifest.json")
#: What readers need of a run's files: it may be passed on without its data.
NEEDED = [name for name in RUN_FILES if name not in (HELD_OUT, "damage.json", "training_args.bin")]
_CHECKPOINTS = "checkpoint-*/surefoot-checkpoint.json"


def clear_run(folder: Path, ours: bool | None = None) -> None:
    """Take away what earlier runs wrote into this folder and its `seed-*` folders.

    Several processes may do so at once. `ours`: whether a run was here, so that files with common
    names are its own; by default, what the folder says.
    """
    for seed in _found(folder, "seed-*"):
        if is_run(seed):
            remove_run(seed)
    ours = is_run(folder) if ours is None else ours
    for pattern in (*RUN_FILES, *(_IN_A_RUN if ours else ())):
        for path in _found(folder, pattern):
            if path.is_symlink() or not path.is_dir():
                path.unlink(missing_ok=True)
    clear_checkpoints(folder)
    for emptied in (*_found(folder, "runs/*"), folder / "runs"):
        _remove_empty(emptied)


def remove_run(folder: Path) -> None:
    """Take away a run with its folder, unless that holds something else."""
    clear_run(folder)
    (folder / MARK).unlink(missing_ok=True)
    _remove_empty(folder)


def clear_checkpoints(folder: Path) -> None:
    """Take away the checkpoints of a run, and no folder of another origin with such a name."""
    for path in _found(folder, _CHECKPOINTS):
        if path.parent.is_symlink():
            path.parent.unlink(missing_ok=True)
        shutil.rmtree(path.parent, ignore_errors=True)


def is_run(folder: Path) -> bool:
    """Whether surefoot trained something here, to its end or not."""
    try:
        ours = "surefoot" in json.loads((folder / "manifest.json").read_text())["versions"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        ours = False
    return ours or (folder / MARK).is_file() or bool(_found(folder, _CHECKPOINTS))


def _found(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except FileNotFoundError:  # another process is ahead
        return []


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it holds something, or is gone
        folder.rmdir()


def reads_of(options: Options) -> list[str]:
    """What a configuration reads, the members of its ensembles among them."""
    named = list(places_of(options))
    for place in named.copy():
        if is_ensemble(place):
            named += map(str, run_folders_of(place))
    return named


def progress_of(folder: Path, config: SeededConfig) -> Literal["absent", "begun", "finished"]:
    """How far this configuration was run in a folder.

    Raises:
        ConfigurationError: the run there is another one, or is damaged.
    """
    mark = Mark.of(folder)
    known = (folder / "config.yaml").is_file()
    older = known and (folder / "manifest.json").is_file()  # without a mark: of an older version
    if not (older if mark is None else mark.finished):
        return "begun" if mark is not None or _found(folder, "checkpoint-*") else "absent"
    require_finished(folder)
    require_same(folder, config)
    return "finished"


def require_same(folder: Path, config: SeededConfig) -> None:
    """Refuse to go on with the run of another configuration.

    Raises:
        ConfigurationError: it is another one.
    """
    if not (folder / "config.yaml").exists():  # stopped before it was written
        return
    saved, there = None, {"output": config.output}
    with suppress(ConfigurationError):  # a run of another kind
        saved = type(config).read(folder / "config.yaml").model_copy(update=there)
    if saved != config:
        raise ConfigurationError(
            f"{folder} holds the run of another configuration (its config.yaml). Name another "
            "output, or train anew with --overwrite."
        )


def saved_seed(folder: str | Path) -> int | None:
    """The training seed of a saved run; None where it does not say.

    Raises:
        ConfigurationError: what it says is damaged.
    """
    return _said(folder, lambda manifest: int(manifest["seed"]))


def saved_fingerprint(folder: str | Path) -> str | None:
    """The fingerprint of the data that a saved run was trained on; None where it does not say.

    Raises:
        ConfigurationError: what it says is damaged.
    """
    return _said(folder, lambda manifest: str(manifest["data"]["fingerprint"]))


def _said(folder: str | Path, read: Callable[[Any], T]) -> T | None:
    path = Path(folder) / "manifest.json"
    with explained(path):
        return read(json.loads(path.read_text())) if path.is_file() else None


def saved_prompts(place: str | Path) -> set[int]:
    """Keys of the prompts that a saved run, or one of an ensemble, was trained on.

    Empty where it does not say.

    Raises:
        ConfigurationError: the run was not finished, or is damaged.
    """
    found: set[int] = set()
    for folder in run_folders_of(place):
        require_finished(folder)
        path = folder / PROMPTS
        with explained(path):
            found |= set(load_file(path)["keys"].tolist() if path.is_file() else ())
    return found
