"""Saved models: `model.safetensors` for the numbers, `surefoot.json` for what they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from surefoot.errors import ConfigurationError

SCHEMA_VERSION = 1
TENSORS, DESCRIPTION = "model.safetensors", "surefoot.json"


def save(folder: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write both files into a folder, which is made if absent.

    Raises:
        ConfigurationError: a tensor is not finite: such a model would score everything NaN.
    """
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise ConfigurationError(f"not saved: {name} is not finite.")
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / TENSORS)
    write_description(folder, description)


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read both files.

    Raises:
        ConfigurationError: they are absent, damaged or of another schema version.
    """
    description = read_description(folder)
    if not (folder / TENSORS).is_file():
        raise ConfigurationError(f"{folder} is not a saved surefoot model: it has no {TENSORS}.")
    try:
        return load_file(folder / TENSORS), description
    except SafetensorError as error:
        raise ConfigurationError(f"{folder} is damaged: {error}") from None


def write_description(folder: Path, description: Mapping[str, Any]) -> None:
    """Write what the numbers mean."""
    complete = {"schema_version": SCHEMA_VERSION, **description}
    (folder / DESCRIPTION).write_text(json.dumps(complete, indent=2, allow_nan=False) + "\n")


def read_description(folder: Path) -> dict[str, Any]:
    """Read what the numbers mean.

    Raises:
        ConfigurationError: it is absent, damaged or of another schema version.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise ConfigurationError(
            f"{folder} is not a saved surefoot model: it has no {DESCRIPTION}."
        )
    try:
        description: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ConfigurationError(f"{folder} is damaged: {error}") from None
    version = description.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ConfigurationError(
            f"{folder} was written with schema version {version!r}; this surefoot reads "
            f"{SCHEMA_VERSION}."
        )
    return description
