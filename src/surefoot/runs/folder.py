"""The folder that a command writes: begun, filled, and marked as finished when all is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.errors import SurefootError
from surefoot.runs import atomic
from surefoot.runs.disk import cannot_write
from surefoot.runs.mark import MARK, Mark

#: Commands with `--resume`.
_RESUMABLE = ("train", "sample", "demo")


@dataclass
class RunFolder:
    """A folder that this process alone writes to, from :func:`claim`."""

    path: Path
    command: str  # that writes it: `train`, `sample`, `evaluate`, `audit`, `demo`
    begun: bool = False  # whether this process has changed anything in it

    def begin(self, clear: Callable[[Path], None] | None = None, parts: Iterable[str] = ()) -> None:
        """Mark the folder as begun, and only then take away what was there.

        `clear` takes away what an earlier run left; a run that is resumed keeps what it has.
        `parts` are folders inside that it will consist of, such as those of seeds.
        """
        if not is_first():
            return
        with self._explained():
            self._mark(finished=False, parts=list(parts))
            self.begun = True
            if clear is not None:
                clear(self.path)

    def write(self, name: str, content: Mapping[str, Any] | str) -> Path:
        """Write a text or JSON into it, whole or not at all."""
        path = self.path / name
        with self._explained():
            if isinstance(content, str):
                atomic.write_text(path, content)
            else:
                atomic.write_json(path, content)
        return path

    def finish(self, pieces: Iterable[str] = (), parts: Iterable[str] = ()) -> None:
        """Mark the folder as finished: all is on disk now.

        `pieces` are patterns of the files that readers need, those that there are; `parts` are
        folders inside that it consists of.
        """
        if not is_first():
            return
        with self._explained():
            sizes = {}
            every = {path for one in pieces for path in self.path.glob(one) if path.is_file()}
            for path in sorted(every - {self.path / MARK}):
                if path.name.startswith("."):  # our lock, or of the system
                    continue
                atomic.sync(path)
                weights = path.suffix == ".safetensors"  # texts may be mended by hand
                sizes[path.name] = path.stat().st_size if weights else None
            atomic.sync(self.path)
            self._mark(finished=True, parts=list(parts), pieces=sizes)

    def require_room(self, size: int) -> None:
        """Refuse to begin what will write so many bytes, in place of what the folder holds.

        Raises:
            SurefootError: the disk has less.
        """
        held = sum(one.stat().st_size for one in self.path.rglob("*") if one.is_file())
        free = shutil.disk_usage(self.path).free + held
        if free < size:
            raise SurefootError(
                f"{self.path} will hold some {size / 2**20:,.0f} MiB, and its disk has "
                f"{free / 2**20:,.0f} MiB left. Make room, or name another output."
            )

    def how_to_go_on(self) -> str:
        """What to do after it was stopped."""
        if not self.begun:
            return f"{self.path} is as it was: the same command begins again."
        if self.command in _RESUMABLE:
            return f"{self.path} is not finished: the same command with --resume goes on with it."
        return (
            f"{self.path} is not finished: the same command with --overwrite begins anew, in place "
            "of what it left."
        )

    def _mark(self, **fields: Any) -> None:
        mark = Mark(command=self.command, **fields)
        atomic.write_json(self.path / MARK, mark.model_dump(mode="json"))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self.path, error) from error


def is_first() -> bool:
    """Whether this is the process of a job that claims and marks, for all."""
    return os.environ.get("RANK", "0") == "0"
