"""`--resume` of `surefoot train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.console import say
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.training.config import FileOptions


def nothing_to_resume(config: FileOptions, output: str, seeds: int, overwrite: bool) -> bool:
    """Whether this run is finished already, which is told.

    Raises:
        ConfigurationError: several seeds are asked for, or to overwrite, or the folder holds
            another run.
    """
    from surefoot.training.folder import is_finished

    if seeds > 1:
        raise ConfigurationError("--resume goes on with one run: name the folder of its seed.")
    if overwrite:
        raise ConfigurationError(
            "--resume goes on with what --overwrite would take away: give one of them."
        )
    if not is_finished(Path(output), config):
        return False
    say(f"{output} is finished already: there is nothing to resume.")
    return True
