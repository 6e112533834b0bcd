"""Converted tables on disk: written once, memory-mapped from then on, with their faults beside."""

from __future__ import annotations

import functools
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Dataset

import surefoot
from surefoot import plugins
from surefoot.columns import DECLARED
from surefoot.data.schema import FEATURES
from surefoot.errors import DataError
from surefoot.escaping import warn
from surefoot.paths import cache_folder
from surefoot.runs import atomic

#: Rows converted at once: bounds memory without slowing the writer.
BATCH = 256


#: Folders of what converts: readers, what they parse with, and the members that declare what they
#: read beside.
OWN = tuple(
    Path(surefoot.__file__).parent / name
    for name in ("data", "boundary", "objectives/label_models")
)


def folder() -> Path:
    """Where converted tables are kept, made if absent."""
    return cache_folder("data")


def code_digest() -> str:
    """Hash of the code that converts, so that a changed reader never meets an old table."""
    return _digest((*plugins.files(), *OWN), repr(sorted(DECLARED.items())))


@functools.cache
def _digest(places: tuple[Path, ...], declared: str) -> str:
    digest = hashlib.blake2b(declared.encode(), digest_size=16)
    for place in places:
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def load(key: str) -> tuple[Dataset, dict[str, Any]] | None:
    """The table of this key and what was said of it, or None if it is not there whole.

    Warns where it is there, and a bit of it is another than was written.
    """
    table, described = folder() / f"{key}.arrow", folder() / f"{key}.json"
    if not (table.is_file() and described.is_file()):
        return None
    with suppress(pa.ArrowException, ValueError, OSError, KeyError, TypeError, AttributeError):
        kept = json.loads(described.read_text(encoding="utf-8"))
        sums = [atomic.checksum(table), zlib.crc32(kept["described"].encode())]
        if sums == kept["checksums"]:
            return Dataset.from_file(str(table)), dict(json.loads(kept["described"]))
    warn(f"{table} in the cache is damaged: the data are read anew.", stacklevel=2)
    return None


def store(
    key: str, batches: Iterator[Sequence[dict[str, Any]]], described: Callable[[], dict[str, Any]]
) -> None:
    """Write a table, then what `described` says when it has ended; each whole or not at all."""
    table = folder() / f"{key}.arrow"
    try:
        atomic.clean(folder())
        with atomic.appearing(table) as path:
            schema = FEATURES.arrow_schema
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
                for batch in batches:
                    writer.write_batch(pa.RecordBatch.from_pylist(list(batch), schema=schema))
            sums = [atomic.checksum(path)]
        text = json.dumps(described())
        kept = {"checksums": [*sums, zlib.crc32(text.encode())], "described": text}
        atomic.write_text(folder() / f"{key}.json", json.dumps(kept))
    except OSError as error:
        raise DataError(
            f"the cache folder {folder()} cannot be written ({error.strerror or error}). "
            "Set SUREFOOT_CACHE to a folder with space and write permission."
        ) from error
