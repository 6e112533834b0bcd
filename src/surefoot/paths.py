"""Folders of what surefoot can compute again."""

from __future__ import annotations

import os
from pathlib import Path

from surefoot.errors import SurefootError


def cache_folder(name: str) -> Path:
    """A folder of the cache, made if absent: under `$SUREFOOT_CACHE` or `~/.cache/surefoot`."""
    root = os.environ.get("SUREFOOT_CACHE")
    folder = expanded(root or "~/.cache/surefoot") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SurefootError(
            f"the cache folder {folder} cannot be made ({error.strerror or error}). Set "
            "SUREFOOT_CACHE to a folder with space and write permission."
        ) from None
    return folder


def expanded(place: str | Path) -> Path:
    """A path whose `~` is the folder of a user; as it is where no such user is known."""
    try:
        return Path(place).expanduser()
    except RuntimeError:
        return Path(place)
