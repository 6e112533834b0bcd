"""What a checkpoint holds beside transformers' own: the risk's state, and which run it is of."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from surefoot.errors import ConfigurationError
from surefoot.escaping import warn

if TYPE_CHECKING:
    from surefoot.training.language.trainer import PreferenceTrainer

_STATE, _KEYS = "surefoot-risk.safetensors", "surefoot-checkpoint.json"
_LAST_WRITTEN = "trainer_state.json"  # by transformers, before it deletes older checkpoints
#: Without these transformers would go on with a new optimiser or schedule, and say nothing.
_TRAINER = ("optimizer.pt", "scheduler.pt")
#: Weights: whole, in parts, or of an adapter.
_WEIGHTS = ("model*.safetensors", "adapter_model*.safetensors")
_FILES, _WINDOW = "files", "since the last log"

#: Arguments that every step depends on. Others (logs, memory, evaluation) may change on the way.
_ARGUMENTS = (
    *("learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "max_steps"),
    *("num_train_epochs", "optim", "optim_args", "adam_beta1", "adam_beta2", "adam_epsilon"),
    *("weight_decay", "max_grad_norm", "seed", "data_seed", "train_sampling_strategy"),
    "disable_dropout",
)


def settings(trainer: PreferenceTrainer) -> dict[str, Any]:
    """What two runs share if they are the same run: what is learnt, from what, in which steps."""
    held = {str(p.dtype).removeprefix("torch.") for p in trainer.model.parameters()}
    return {
        "precision": " ".join([trainer.accelerator.mixed_precision, *sorted(held)]),
        "reference": trainer.reference.key if trainer.reference else "",
        **trainer.objective.model_dump(mode="json"),
        "beta": trainer.score.beta,
        "training data": trainer.pairs.key,
        "pairs in a step": trainer.args.pairs_in_a_step,
        **{name: getattr(trainer.args, name) for name in _ARGUMENTS},
    }


def save(
    folder: Path,
    risk_state: Mapping[str, Tensor],
    run: Mapping[str, Any],
    window: Mapping[str, Any] | None = None,
    ranks: int = 1,
) -> None:
    """Write into a checkpoint folder, before transformers writes its own.

    `window` are figures of the steps since the last log, JSON-ready. Of `ranks` processes, each
    keeps the state of its random numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.parent.glob("checkpoint-*"):
        if earlier != folder and earlier.name[11:].isdigit():
            # transformers deletes the oldest by time, and a clock may have been set back
            os.utime(earlier, (_step(earlier), _step(earlier)))
    save_file({name: value.contiguous() for name, value in risk_state.items()}, folder / _STATE)
    random = ["rng_state.pth"] if ranks == 1 else [f"rng_state_{i}.pth" for i in range(ranks)]
    kept = {**run, _FILES: [*_TRAINER, *random], _WINDOW: window or {}}
    (folder / _KEYS).write_text(json.dumps(kept) + "\n")


def window(folder: Path) -> dict[str, Any]:
    """Figures of the steps between the last log and this checkpoint, which is whole."""
    found: dict[str, Any] = json.loads((folder / _KEYS).read_text()).get(_WINDOW, {})
    return found


def load(folder: Path, run: Mapping[str, Any]) -> dict[str, Tensor]:
    """State of the risk in a checkpoint.

    Raises:
        ConfigurationError: the checkpoint is of a run with other settings, or is not whole.
    """
    damage = _damage(folder)
    if damage:
        raise ConfigurationError(f"{folder} is no whole checkpoint of this trainer: {damage}.")
    saved, given = json.loads((folder / _KEYS).read_text()), json.loads(json.dumps(run))
    other = [name for name in given if saved.get(name) != given[name]]
    if "reference" in other:
        raise ConfigurationError(
            f"{folder} was trained against another reference policy. Make the trainer with the "
            "model that the run began with, not with the checkpoint; its weights are loaded after."
        )
    if other:
        named = "; ".join(_difference(name, saved.get(name), given[name]) for name in other)
        raise ConfigurationError(
            f"{folder} is of another run: {named}. Resume with the settings that the run began "
            "with, or train anew."
        )
    return load_file(folder / _STATE)


def _difference(name: str, saved: Any, present: Any) -> str:
    if name == "training data":
        return "other training data (texts, labels, weights or units)"
    return f"{name} was {saved!r} and is {present!r}"


def newest(folder: Path) -> str:
    """The newest checkpoint below a folder that was written to its end.

    Raises:
        ConfigurationError: there is none.
    """
    passed: list[str] = []
    checkpoints = [path for path in folder.glob("checkpoint-*") if path.name[11:].isdigit()]
    for path in sorted(checkpoints, key=_step, reverse=True):
        damage = _damage(path)
        if not damage:
            if passed:
                named = ", ".join(passed)
                warn(f"{named}: damaged; going on from {path.name}.", stacklevel=2)
            return str(path)
        passed.append(f"{path.name}: {damage}" if len(checkpoints) == 1 else path.name)
    damaged = f" ({', '.join(passed)}: damaged)" if passed else ""
    raise ConfigurationError(
        f"{folder} holds no checkpoint that was written to its end{damaged}; a run that can be "
        "resumed saves some on its way (training.save_every, or save_steps of a trainer)."
    )


def _step(folder: Path) -> int:
    return int(folder.name.rsplit("-", 1)[1])


#: What reading a file that is not what it should be ends in.
_DAMAGES = (OSError, ValueError, AttributeError, TypeError, RecursionError)


def written(folder: Path) -> bool:
    """Whether any checkpoint below a folder was written to its end, whatever became of it."""
    return any(folder.glob(f"checkpoint-*/{_LAST_WRITTEN}"))


def _damage(folder: Path) -> str:
    """What keeps a checkpoint from being whole: empty where nothing does.

    It was written to its end by this trainer, no file is missing, and none was cut.
    """
    try:
        json.loads((folder / _LAST_WRITTEN).read_text())
        said = json.loads((folder / _KEYS).read_text())
        needed = [_LAST_WRITTEN, _STATE, *said.get(_FILES, (*_TRAINER, "rng_state*.pth"))]
        absent = [name for name in needed if not any(folder.glob(name))]
        if not any(path for one in _WEIGHTS for path in folder.glob(one)):
            absent.append("model.safetensors")
        if absent:
            return f"{', '.join(absent)} missing"
        for path in folder.glob("*.safetensors"):
            with safe_open(path, "pt"):  # reads what it should hold, and compares with its size
                pass
        cut = [
            p for p in (*folder.glob("*.pt"), *folder.glob("*.pth")) if not zipfile.is_zipfile(p)
        ]
        return f"{cut[0].name} damaged" if cut else ""
    except (*_DAMAGES, SafetensorError) as error:
        return (str(error).splitlines() or [""])[0] or type(error).__name__
