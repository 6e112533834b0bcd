"""The mark of a folder: whether it is finished, by which command, and of what it consists.

It is one small file, written last. Whatever kills a process, its folder is in one of three states:
as it was before; begun and not finished, which every reader refuses; or finished.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from surefoot.errors import ConfigurationError

MARK = "surefoot-run.json"


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
