"""Suites from their public origin, kept in a cache."""

from __future__ import annotations

import os
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.suite import FOLDER_VARIABLE, Part, Suite, digest
from surefoot.paths import cache_folder

#: Environment variable that names the cache; by default `~/.cache/surefoot`.
#: Seconds without an answer after which a download is given up.
TIMEOUT = 30


def fetch(suite: Suite) -> Preferences:
    """Download the parts of a suite, once, and read it.

    Raises:
        DataError: the public form differs from ours, or the origin could not be reached; the
            message names the origin and what to do instead.
    """
    remedy = (
        f"Give a folder that holds {', '.join(p.path for p in suite.parts.values())} "
        f"with --suites DIR or the environment variable {FOLDER_VARIABLE}."
    )
    if not all(part.url for part in suite.parts.values()):
        raise DataError(
            f"suite {suite.name!r} cannot be fetched: its public form ({suite.origin}) differs "
            f"from the one read here. {remedy}"
        )
    return suite.read({name: _cached(suite, part, remedy) for name, part in suite.parts.items()})


def _cached(suite: Suite, part: Part, remedy: str) -> Path:
    name = Path(urlsplit(part.url).path).name
    path = cache_folder("suites") / suite.name / f"{digest(part.url)}-{name}"
    if not path.is_file():
        content = _download(suite, part, remedy)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        partial.write_bytes(content)
        partial.replace(path)  # never a half-written file under the final name
    return path


def _download(suite: Suite, part: Part, remedy: str) -> bytes:
    try:
        with urlopen(part.url, timeout=TIMEOUT) as stream:
            content: bytes = stream.read()
            return content
    except (OSError, HTTPException) as error:
        raise DataError(
            f"suite {suite.name!r} could not be fetched from {part.url} "
            f"({type(error).__name__}: {error}). {remedy}"
        ) from None
