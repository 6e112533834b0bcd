"""Having an output to oneself: one process writes it, and only what it may."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType

from surefoot.errors import ConfigurationError, SurefootError
from surefoot.paths import expanded
from surefoot.runs import atomic
from surefoot.runs.atomic import cannot_write, of_the_disk
from surefoot.runs.folder import Mark, RunFolder, is_first

_LOCK = ".surefoot-lock"
#: Commands whose output no other command reads.
_REPORTS = ("evaluate", "audit")
#: Of files that commands write: a folder of such a name is in the way.
_SUFFIXES = (".json", ".jsonl", ".safetensors", ".yaml", ".md", ".html", ".gz")
#: Bytes that have to be free before anything is begun.
_ROOM = 2**20
#: Folders that this context has claimed: what it calls may claim them again.
_HELD: ContextVar[Mapping[Path, RunFolder]] = ContextVar("held", default=MappingProxyType({}))


@contextmanager
def claim(
    place: str | Path,
    command: str,
    *,
    overwrite: bool = False,
    resume: bool = False,
    reads: Iterable[str | Path] = (),
) -> Iterator[RunFolder]:
    """Have a folder to oneself while it is written; made if absent.

    Nothing that was there is touched before :meth:`RunFolder.begin`. It may hold something under
    `overwrite`, which is replaced, and under `resume`, which is gone on with. Of several processes
    of one job (`RANK`), the first claims for all. `reads` is what the command reads: patterns,
    files, folders, and names that are none on this machine.

    Raises:
        ConfigurationError: it holds something, is read by this very command, was written by
            another one, or another process writes it; both `overwrite` and `resume`.
        SurefootError: it cannot be written.
    """
    path = _named(place)
    if overwrite and resume:
        raise ConfigurationError(
            "--resume goes on with what --overwrite would take away: give one of them."
        )
    refuse_what_is_read(path, reads)
    with ExitStack() as stack:
        real = Path(os.path.realpath(path))
        folder = _HELD.get().get(real, RunFolder(path, command))
        if real not in _HELD.get():
            if is_first():
                stack.enter_context(_locked(path))
            stack.callback(_HELD.reset, _HELD.set({**_HELD.get(), real: folder}))
            _require_free(path, command, overwrite, resume)
        try:
            yield folder
        except KeyboardInterrupt as stop:  # of several folders, the outermost speaks
            stop.__notes__ = [folder.how_to_go_on()]
            raise
        except Exception as error:
            if not folder.begun or not of_the_disk(error, path):
                raise
            raise SurefootError(f"{error} {folder.how_to_go_on()}") from error


@contextmanager
def claim_file(
    place: str | Path, *, overwrite: bool = False, reads: Iterable[str | Path] = ()
) -> Iterator[Path]:
    """Have a file to oneself while it is made: a path to write to, which appears at the end.

    Its folder is made if absent. Where the body raises, what was there stays. The arguments are
    those of :func:`claim`.

    Raises:
        ConfigurationError: it exists, is read by this very command, or another process writes it.
        SurefootError: it cannot be written.
    """
    path = _named(place)
    if os.path.isdir(path):
        raise ConfigurationError(f"{path} is a folder; the output is a file. Name another output.")
    if os.path.lexists(path) and not overwrite:
        raise ConfigurationError(f"{path} exists. Name another output, or pass --overwrite.")
    refuse_what_is_read(path, reads)
    if path.exists() and not path.is_file():  # a pipe, or a device
        yield path
        return
    path = Path(os.path.realpath(path))  # what a link leads to, not the link
    with _locked(path.parent, f".{path.name[:100]}{_LOCK}"):
        try:
            with atomic.appearing(path) as part:
                yield part
        except KeyboardInterrupt as stop:
            stop.__notes__ = [f"{path} is as it was: the same command begins again."]
            raise
        except Exception as error:
            if not of_the_disk(error):
                raise
            raise SurefootError(
                f"{path} could not be written ({error}); it is as it was."
            ) from error


def _named(place: str | Path) -> Path:
    path = expanded(place)
    if "\0" in str(path):
        raise ConfigurationError(f"{str(place)!r} is no name for an output.")
    if str(path).startswith("~"):
        raise ConfigurationError(
            f"{place}: there is no user {path.parts[0][1:]!r} here. Name another output, or its "
            "whole path."
        )
    return path


@contextmanager
def _locked(path: Path, lock: str = _LOCK) -> Iterator[None]:
    """The lock of a folder, which is made; where nothing comes of it, no trace is left."""
    absent = [one for one in (path, *path.parents) if not os.path.lexists(one)]
    with ExitStack() as stack:
        for one in reversed(absent):
            stack.callback(_quietly, one.rmdir)
        try:
            path.mkdir(parents=True, exist_ok=True)
            held = stack.enter_context(_lock_file(path / lock))
            stack.callback(_quietly, (path / lock).unlink)
            if shutil.disk_usage(path).free < _ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            owner = f"process {os.getpid()} on {socket.gethostname()}: {' '.join(sys.argv)}\n"
            os.truncate(held, 0)
            os.write(held, owner.encode(errors="replace"))
            os.fsync(held)
            atomic.clean(path)
        except (OSError, ValueError) as error:
            raise (
                error if isinstance(error, SurefootError) else cannot_write(path, error)
            ) from None
        yield


def _quietly(remove: Callable[[], None]) -> None:
    """Take away a folder unless it holds something; an old lock is in nobody's way if it stays."""
    with suppress(OSError, ValueError):
        remove()


@contextmanager
def _lock_file(place: Path) -> Iterator[int]:
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not atomic.lock(handle):
                who = os.read(handle, 500).decode(errors="replace").strip() or "another process"
                raise ConfigurationError(
                    f"{place.parent} is being written by {who}. Wait until it is done, or name "
                    "another output."
                )
            if not place.exists() or not os.path.samestat(os.fstat(handle), place.stat()):
                continue  # whoever had it took it away in between
            yield handle
            return
        finally:
            os.close(handle)


def _require_free(path: Path, command: str, overwrite: bool, resume: bool) -> None:
    """Refuse a folder that holds something, unless it may."""
    if not path.is_dir():  # made by the first process of a job, on another machine
        return
    mine = (_LOCK, atomic.UNFINISHED)
    there = [one for one in path.iterdir() if not one.name.startswith(mine)]
    if not there:
        return
    mark = None
    with suppress(ConfigurationError):  # damaged: nothing speaks for another command
        mark = Mark.of(path)
    if mark is not None and mark.command != command:
        raise ConfigurationError(
            f"{path} holds what surefoot {mark.command} wrote; surefoot {command} has no place "
            "there. Name another output."
        )
    if overwrite or resume:
        for one in there:
            if one.suffix in _SUFFIXES and one.is_dir():
                raise ConfigurationError(
                    f"{one} is a folder where a file would be written. Move it away, or name "
                    "another output."
                )
        return
    if mark is not None and not mark.finished:
        raise ConfigurationError(
            f"{path} holds a run that was not finished. Go on with it (--resume, where the command "
            "has that), begin anew (--overwrite), or name another output."
        )
    raise ConfigurationError(
        f"{path} exists and is not empty. Name another output, or pass --overwrite."
    )


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
            if same or holds or (inside and not _is_report(path)):
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
