"""The folder that a command writes: begun, filled, and marked as finished when all is there.

The mark is one small file, written last: whether the folder is finished, by which command, and of
what it consists. Whatever kills a process, its folder is in one of three states: as it was before;
begun and not finished, which every reader refuses; or finished.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from surefoot.errors import ConfigurationError, SurefootError
from surefoot.runs import atomic
from surefoot.runs.atomic import cannot_write

MARK = "surefoot-run.json"
#: Commands with `--resume`.
_RESUMABLE = ("train", "sample", "demo", "demo --full")


class Mark(BaseModel):
    """What the mark of a folder says."""

    model_config = ConfigDict(strict=True, frozen=True)

    schema_version: Literal[1] = 1
    command: str
    finished: bool
    parts: list[str] = []  # folders inside that it consists of
    pieces: dict[str, int | None] = {}  # that readers need; bytes of those with weights

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """Read the mark of a folder; None where it has none.

        Raises:
            ConfigurationError: it is damaged, or of another version.
        """
        path = folder / MARK
        try:
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            raise ConfigurationError(
                f"{path} is damaged, or of another version of surefoot: it cannot say whether "
                f"{folder} is whole. Copy the folder again from where it is whole, or run its "
                "command again."
            ) from None


def is_finished(place: str | Path) -> bool:
    """Whether a folder is marked as finished, and its pieces are there.

    Raises:
        ConfigurationError: its mark is damaged.
    """
    mark = Mark.of(Path(place))
    return mark is not None and mark.finished and not _lacks(Path(place), mark)


def require_finished(place: str | Path) -> bool:
    """Refuse to read a folder that was not written to its end.

    Returns:
        Whether it is marked; one without a mark is of an older version, or not of surefoot.

    Raises:
        ConfigurationError: it was not finished, or is no longer whole.
    """
    folder = Path(place)
    mark = Mark.of(folder)
    if mark is None:
        return False
    if not mark.finished:
        absent = [one for one in mark.parts if not (folder / one).is_dir()]
        gone = f" ({', '.join(absent)} absent)" if absent else ""
        raise ConfigurationError(
            f"{folder} was not finished{gone}: surefoot {mark.command} was stopped before its end, "
            "or is still at work. Go on with it (--resume, where the command has that), or begin "
            "anew (--overwrite)."
        )
    lacks = _lacks(folder, mark)
    if lacks:
        raise ConfigurationError(
            f"{folder} is damaged: {lacks}. Copy it again from where it is whole, or run its "
            f"command again (surefoot {mark.command} ... --overwrite)."
        )
    return True


def _lacks(folder: Path, mark: Mark) -> str:
    """What a finished folder lacks, in words; empty where all is there."""
    for name, size in mark.pieces.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if size is not None and path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} bytes and had {size:,} when finished"
    absent = [name for name in mark.parts if not (folder / name).is_dir()]
    return f"{absent[0]} is missing" if absent else ""


def seed_folders(place: str | Path) -> list[Path]:
    """The folders `seed-*` of a run with several seeds, in order; none where it is another folder.

    Raises:
        ConfigurationError: one of them is missing, or the run was not finished.
    """
    folder = Path(place)
    seeds = [path for path in folder.glob("seed-*") if path.name[5:].isdigit()]
    if seeds:
        require_finished(folder)
    for one in seeds:
        require_finished(one)
    return sorted(seeds, key=lambda path: int(path.name[5:]))


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
