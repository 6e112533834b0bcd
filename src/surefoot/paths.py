"""Where surefoot keeps what it can compute again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """A folder of the cache, made if absent: under `$SUREFOOT_CACHE` or `~/.cache/surefoot`."""
    root = os.environ.get("SUREFOOT_CACHE")
    folder = (Path(root) if root else Path.home() / ".cache" / "surefoot") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
