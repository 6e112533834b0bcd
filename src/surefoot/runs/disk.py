"""What is said where the disk does not take what is written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from surefoot.errors import ConfigurationError, SurefootError

_KINDS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EFBIG,
    errno.ENAMETOOLONG,  # of a name that is read, too
)


def cannot_write(path: Path, error: OSError | ValueError) -> SurefootError:
    """The message for an output that cannot be made or written."""
    why, place = str(error), None
    if isinstance(error, OSError):
        why, place = error.strerror or why, error.filename
        in_the_way = [one for one in (path, *path.parents) if os.path.isfile(one)]
        if in_the_way:
            return ConfigurationError(
                f"{in_the_way[0]} is a file; the output {path} is a folder. Name another output."
            )
    where = f": {place}" if place not in (None, str(path)) else ""
    return ConfigurationError(
        f"the output {path} cannot be written ({why}{where}). Name a folder with space and write "
        "permission."
    )


def of_the_disk(error: Exception, folder: Path | None = None) -> bool:
    """Whether an error of any library says that the disk does not take a file or its name.

    Whatever happens to a file of `folder`, all of which should be writable, is of the disk.
    """
    text = str(error)
    if isinstance(error, SurefootError):
        return False
    if isinstance(error, OSError | RuntimeError) and folder is not None and f"{folder}/" in text:
        return True
    if isinstance(error, OSError):
        return error.errno in _KINDS
    return "No space left" in text or "PytorchStreamWriter" in text or "I/O error" in text
