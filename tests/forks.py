"""Work in a process that is forked from this one: it dies a real death, and costs no import."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path


def forked(work: Callable[[], int | None], log: Path, seconds: float = 60) -> int:
    """The exit code of `work`, whose None counts as 0; negative: the signal that ended it.

    Args:
        work: is run in a child of this process.
        log: what it prints.
        seconds: after which it is killed.

    Raises:
        AssertionError: it took longer.
    """
    child = os.fork()
    if child == 0:
        code = 99
        with contextlib.suppress(BaseException):
            sys.stdout = sys.stderr = log.open("w", buffering=1)
            try:
                code = work() or 0
            except BaseException:
                traceback.print_exc()
        os._exit(code)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"it hangs; it said: {log.read_text()}")
