"""An output does not take the place of what the same command reads."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from surefoot.errors import ConfigurationError
from surefoot.paths import expanded
from surefoot.runs.mark import Mark

#: Commands whose output no other command reads.
_REPORTS = ("evaluate", "audit")


def refuse_what_is_read(path: Path, reads: Iterable[str | Path]) -> None:
    """Refuse an output that is, holds, or is a part of what the command reads."""
    named = [expanded(one) for one in reads if one]
    for source in (found for one in named for found in (one, *map(Path, glob.glob(str(one))))):
        with suppress(OSError):  # no such place: a name on a hub, or for the reader to tell
            if not source.exists() or not path.exists():
                continue
            same = path.samefile(source)
            holds = any(path.samefile(one) for one in _above(source))
            full = not path.is_dir() or any(path.iterdir())
            inside = full and any(source.samefile(one) for one in _above(path))
            inside = inside and not _is_report(path)
            if same or holds or inside:
                how = "is" if same else "holds" if holds else "is a part of"
                raise ConfigurationError(
                    f"the output {path} {how} what this run reads ({source}), which would be "
                    "overwritten. Name another output."
                )


def _is_report(path: Path) -> bool:
    """Whether it holds what nothing reads again, wherever it lies."""
    with suppress(ConfigurationError):
        mark = Mark.of(path)
        return mark is not None and mark.command in _REPORTS
    return False


def _above(path: Path) -> Iterable[Path]:
    return Path(os.path.realpath(path)).parents
