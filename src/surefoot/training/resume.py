"""What `--resume` goes on with, of one run or of several seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from surefoot.errors import ConfigurationError
from surefoot.runs import RunFolder
from surefoot.training.checkpoint import newest, written
from surefoot.training.config import FileOptions
from surefoot.training.folder import clear_run, is_run, progress_of, require_same

C = TypeVar("C", bound=FileOptions)


@dataclass
class Seeds:
    """The folder of several seeds; all of it is nothing where there is one run alone.

    Attributes:
        root: the folder, claimed.
        names: of the seeds' folders in it.
        resume: whether what is there stays.
    """

    root: RunFolder | None
    names: Sequence[str]
    resume: bool

    def begin(self) -> None:
        """Mark it as begun, the first time; earlier runs are taken away unless these go on."""
        if self.root is not None and not self.root.begun:
            clear = partial(clear_run, ours=is_run(self.root.path))
            self.root.begin(None if self.resume else clear, self.names)

    def finish(self) -> None:
        """Mark it as finished."""
        if self.root is not None:
            self.root.finish(parts=self.names)


def not_finished(
    claimed: Sequence[tuple[RunFolder, C]], say: Callable[[str], None], together: bool = False
) -> list[tuple[RunFolder, C]]:
    """What a resumed command still has to run.

    Args:
        claimed: every run with its configuration.
        say: told which are finished already.
        together: they are one computation: all are run, or none.

    Raises:
        ConfigurationError: nothing was begun, or it is of another configuration.
    """
    states = [progress_of(folder.path, config) for folder, config in claimed]
    if all(state == "absent" for state in states):
        raise ConfigurationError(
            f"{claimed[0][0].path} holds no checkpoint and nothing else of a run: there is nothing "
            "to resume. Leave --resume out."
        )
    if together and any(state != "finished" for state in states):
        for (folder, config), state in zip(claimed, states, strict=True):
            if state == "begun":
                require_same(folder.path, config)
        return list(claimed)
    for (folder, _), state in zip(claimed, states, strict=True):
        if state == "finished":
            say(f"{folder.path} is finished already.")
    return [one for one, state in zip(claimed, states, strict=True) if state != "finished"]


def newest_of(folder: Path, config: FileOptions, say: Callable[[str], None]) -> str | None:
    """The newest whole checkpoint of a run; None where none was written to its end yet.

    Raises:
        ConfigurationError: what is there is damaged, or is of another run.
    """
    if written(folder):
        return newest(folder)
    if progress_of(folder, config) == "begun":
        require_same(folder, config)
        say(f"note: {folder} was stopped before its first checkpoint: it begins anew.")
    return None
