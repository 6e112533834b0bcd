"""Suites from their public origin, kept in a cache."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from surefoot.data.schema import Preferences
from surefoot.errors import DataError
from surefoot.evaluation.suite import FOLDER_VARIABLE, Part, Suite
from surefoot.paths import cache_folder
from surefoot.runs.atomic import appearing

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
    digest = hashlib.blake2b(part.url.encode(), digest_size=8).hexdigest()
    name = Path(urlsplit(part.url).path).name
    path = cache_folder("suites") / suite.name / f"{digest}-{name}"
    if path.is_file():
        return path
    try:
        with urlopen(part.url, timeout=TIMEOUT) as stream:
            content = stream.read()
    except (OSError, HTTPException) as error:
        raise DataError(
            f"suite {suite.name!r} could not be fetched from {part.url} "
            f"({type(error).__name__}: {error}). {remedy}"
        ) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as partial:
        partial.write_bytes(content)
    return path
