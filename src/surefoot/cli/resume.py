"""`--resume` of `surefoot train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.console import say
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.policy import OnlineConfig
    from surefoot.training.config import RunConfig


def nothing_to_resume(
    output: str, configs: Sequence[RunConfig] | Sequence[OnlineConfig], overwrite: bool
) -> bool:
    """Whether these runs, of one seed each, are finished already, which is told.

    Raises:
        ConfigurationError: to overwrite is asked for too, or the folder holds another run.
    """
    from surefoot.runs import is_finished
    from surefoot.training.folder import progress_of

    if overwrite:
        raise ConfigurationError(
            "--resume goes on with what --overwrite would take away: give one of them."
        )
    states = [progress_of(Path(one.output), one) for one in configs]
    of_all = len(configs) == 1 or is_finished(output)
    if not of_all or any(state != "finished" for state in states):
        return False
    say(f"{output} is finished already: there is nothing to resume.")
    return True
