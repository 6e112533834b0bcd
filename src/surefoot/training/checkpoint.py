"""What a checkpoint holds beside transformers' own: the risk's state and the reference's key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from surefoot.errors import ConfigurationError

_STATE, _KEYS = "surefoot-risk.safetensors", "surefoot-checkpoint.json"


def save(folder: Path, risk_state: Mapping[str, Tensor], reference_key: str) -> None:
    """Write into a checkpoint folder."""
    save_file({name: value.contiguous() for name, value in risk_state.items()}, folder / _STATE)
    (folder / _KEYS).write_text(json.dumps({"reference": reference_key}) + "\n")


def load(folder: Path, reference_key: str) -> dict[str, Tensor]:
    """The risk's state.

    Raises:
        ConfigurationError: the checkpoint was trained against another reference.
    """
    if not (folder / _KEYS).is_file():
        return {}
    saved = json.loads((folder / _KEYS).read_text())["reference"]
    if saved != reference_key:
        raise ConfigurationError(
            f"{folder} was trained against another reference policy. Make the trainer with the "
            "model that the run began with, not with the checkpoint; its weights are loaded after."
        )
    return load_file(folder / _STATE)
