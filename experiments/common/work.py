"""What an experiment has finished, kept so that an interrupted one goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.runs.atomic import appearing, write_text

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Work:
    """A folder of what is finished, each thing by all that it depends on."""

    folder: Path

    def arrays(self, depends_on: Any, make: Callable[[], Mapping[str, Any]]) -> Arrays:
        """Named arrays: those that were made before, or made now."""
        path = self.cell(depends_on)
        if not path.is_file():
            with appearing(path) as part:
                np.savez(part, **make())
        with np.load(path) as kept:
            return {name: kept[name] for name in kept}

    def figures(self, depends_on: Any, make: Callable[[], Any]) -> Any:
        """The same of anything that JSON can say."""
        path = self.cell(depends_on).with_suffix(".json")
        if not path.is_file():
            write_text(path, json.dumps(make()))
        return json.loads(path.read_text())

    def cell(self, depends_on: Any) -> Path:
        """Where arrays are kept."""
        return self._in("cells") / f"{key_of(depends_on)}.npz"

    def model(self, depends_on: Any) -> Path:
        """Where a model is kept."""
        return self._in("models") / key_of(depends_on)

    def scratch(self) -> Path:
        """An empty place for one run."""
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        return self._in("scratch")

    def _in(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        return place


def key_of(depends_on: Any) -> str:
    """A name for everything that something depends on."""
    text = json.dumps(depends_on, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
