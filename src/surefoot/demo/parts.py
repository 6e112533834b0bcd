"""What a demo has computed already: kept beside its output until it is done."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from surefoot.runs import atomic

#: Where a demo keeps them, in its output.
PARTS = "parts"


@dataclass(frozen=True)
class Parts:
    """Parts of a demo by what they depend on.

    Attributes:
        folder: where they are kept; None: nowhere.
    """

    folder: Path | None = None

    def kept(self, depends_on: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A piece that was made before, or is made now; JSON-ready, and the same to the bit.

        Args:
            depends_on: everything that it is made from.
            make: makes it.
        """
        if self.folder is None:
            return make()
        text = json.dumps([version("surefoot"), depends_on], sort_keys=True, default=str)
        key = hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
        path = self.folder / f"{key}.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, or not whole
            self.folder.mkdir(parents=True, exist_ok=True)
            found = make()
            atomic.write_json(path, found)
        return found

    def clear(self) -> None:
        """Remove what was kept."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
