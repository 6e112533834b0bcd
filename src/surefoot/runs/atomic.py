"""Files that appear whole or not at all, and what is said where the disk does not take them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from surefoot.errors import ConfigurationError, SurefootError
from surefoot.escaping import json_document

try:
    import fcntl
except ImportError:  # no such locks on Windows: what a dead process left is not taken away there
    fcntl = None  # type: ignore[assignment]

#: How the names of files begin that are not written to their end yet.
UNFINISHED = ".part-"


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to write to, in the same folder, whose file takes the place of `path` at the end.

    It is on disk before it has its name, and the name is on disk when this returns. Where the body
    raises, nothing has changed.
    """
    with _part_of(path) as part:
        try:
            yield part
            sync(part)
            os.replace(part, path)
        finally:
            with contextlib.suppress(OSError):  # `clean` takes it away later
                part.unlink(missing_ok=True)
    sync(path.parent)


@contextlib.contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A new file beside `path`, locked so that nobody takes it for one of a dead process."""
    while True:
        part = path.parent / f"{UNFINISHED}{secrets.token_hex(6)}{path.suffix}"
        with part.open("xb") as held:
            if lock(held.fileno()) and part.exists():  # else `clean` came between
                yield part
                return


def sync(path: Path) -> None:
    """Wait until the disk has what was written into a file, or the names in a folder."""
    folder = path.is_dir()
    if os.name == "nt" and folder:
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network file systems write names at once, and refuse to wait
        if not folder or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def checksum(path: Path) -> int:
    """CRC-32 of a file: another where a bit has flipped."""
    found = 0
    with path.open("rb") as file:
        while block := file.read(2**20):
            found = zlib.crc32(block, found)
    return found


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with appearing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON for people and machines, whole or not at all.

    Raises:
        ValueError: a number that JSON does not have, such as infinity; nothing is written.
    """
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, json_document(text) + "\n")


def clean(folder: Path) -> None:
    """Take away what processes that died left half-written in a folder."""
    if fcntl is None:
        return
    for part in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError), part.open("rb") as held:  # or another process is ahead
            if lock(held.fileno()):
                part.unlink()


def lock(handle: int) -> bool:
    """Take the lock of an open file, which dies with the process. False: another one has it.

    True also where the file system has no locks.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True


#: Errors of the disk.
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
