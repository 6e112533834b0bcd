"""What a checkpoint holds beside transformers' own: the risk's state and the reference's key."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from surefoot.errors import ConfigurationError

_STATE, _KEYS = "surefoot-risk.safetensors", "surefoot-checkpoint.json"
_LAST_WRITTEN = "trainer_state.json"  # by transformers, before it deletes older checkpoints


def save(folder: Path, risk_state: Mapping[str, Tensor], reference_key: str) -> None:
    """Write into a checkpoint folder, before transformers writes its own."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in risk_state.items()}, folder / _STATE)
    (folder / _KEYS).write_text(json.dumps({"reference": reference_key}) + "\n")


def load(folder: Path, reference_key: str) -> dict[str, Tensor]:
    """The risk's state.

    Raises:
        ConfigurationError: the checkpoint was trained against another reference, or is not whole.
    """
    if not _whole(folder):
        raise ConfigurationError(f"{folder} is no whole checkpoint of this trainer.")
    saved = json.loads((folder / _KEYS).read_text())["reference"]
    if saved != reference_key:
        raise ConfigurationError(
            f"{folder} was trained against another reference policy. Make the trainer with the "
            "model that the run began with, not with the checkpoint; its weights are loaded after."
        )
    return load_file(folder / _STATE)


def newest(folder: Path) -> str:
    """The newest checkpoint below a folder that was written to its end.

    Raises:
        ConfigurationError: there is none.
    """
    passed: list[str] = []
    for path in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        if _whole(path):
            if passed:
                named = ", ".join(passed)
                warnings.warn(f"{named}: damaged; going on from {path.name}.", stacklevel=2)
            return str(path)
        passed.append(path.name)
    told = f" ({', '.join(passed)}: damaged)" if passed else ""
    raise ConfigurationError(f"there is no whole checkpoint in {folder} to resume from{told}.")


def _step(folder: Path) -> int:
    return int(folder.name.rsplit("-", 1)[1])


def _whole(folder: Path) -> bool:
    """Whether a checkpoint was written to its end, by this trainer, and no file was cut since."""
    try:
        json.loads((folder / _LAST_WRITTEN).read_text())
        for path in folder.glob("*.safetensors"):
            with safe_open(path, "pt"):  # reads what it should hold, and compares with its size
                pass
    except (OSError, ValueError, SafetensorError):
        return False
    archives = (*folder.glob("*.pt"), *folder.glob("*.pth"))
    return (folder / _KEYS).is_file() and all(zipfile.is_zipfile(one) for one in archives)
