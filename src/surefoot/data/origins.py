"""Where records come from: a file, or a data set on the Hub."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from surefoot.data.containers import EXTENSIONS, FORMS, Numbered, records
from surefoot.errors import DataError

_HUB = re.compile(r"[\w.-]+/[\w.-]+(@[\w.\-\[\]:%+]+)?")


@dataclass(frozen=True)
class Origin:
    """Records and what to call them.

    Attributes:
        place: what messages call the origin: the path as it was given, or the Hub's name.
        name: its short name, without folders and endings.
        digest: hash of the content.
        records: starts reading, from the first record.
    """

    place: str
    name: str
    digest: str
    records: Callable[[], Iterator[Numbered]]


def origin_of(source: str | Path) -> Origin:
    """Find what a source names: `hub:owner/name[@split]`, a path, or a bare `owner/name`.

    Raises:
        DataError: there is no such file or data set, or the Hub cannot be reached.
    """
    text = str(source)
    if text.startswith("hub:"):
        return _from_hub(text.removeprefix("hub:"))
    path = Path(source).expanduser()
    if path.is_file():
        return Origin(text, _short(path), _digest(path), lambda: records(path))
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if _ending(p) in EXTENSIONS)
        names = ", ".join(inside[:10]) or "no file in it can be read"
        raise DataError(f"{text} is a folder; name the files in it: {names}.")
    if path.exists():
        raise DataError(f"{text} is not a regular file. Accepted: {FORMS}.")
    bare = isinstance(source, str) and _HUB.fullmatch(source) and _ending(path) not in EXTENSIONS
    if bare and not path.parent.is_dir():
        return _from_hub(text)
    raise DataError(_not_found(text, path))


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()[:32]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None


def _not_found(text: str, path: Path) -> str:
    if not path.parent.is_dir():
        return f"{text} does not exist, nor does the folder {path.parent}."
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    return f"{text} does not exist" + (f": did you mean {near[0]!r}?" if near else ".")


def _ending(path: Path) -> str:
    endings = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return endings[-1] if endings else ""


def _short(path: Path) -> str:
    name = path.name
    for ending in (".gz", *EXTENSIONS):
        name = name[: -len(ending)] if name.lower().endswith(ending) else name
    return name or path.name


def _from_hub(text: str) -> Origin:
    name, _, split = text.partition("@")
    try:
        loaded = datasets.load_dataset(name, split=split or None)
    except Exception as error:  # whatever the network, the Hub or its files come up with
        raise DataError(_hub_message(name, split, error)) from error
    if isinstance(loaded, dict):
        split = "train" if "train" in loaded else next(iter(loaded))
        if len(loaded) > 1 and split != "train":
            raise DataError(f"hub:{name} has several splits; add one: @{', @'.join(loaded)}.")
        loaded = loaded[split]
    place = f"hub:{name}@{split}"
    # The fingerprint is the Hub library's own hash of the files that the rows came from.
    digest = str(loaded._fingerprint)
    return Origin(place, place.removeprefix("hub:"), digest, lambda: _hub_rows(loaded))


def _hub_message(name: str, split: str, error: Exception) -> str:
    said = " ".join(str(error).split())[:300]
    if isinstance(error, datasets.exceptions.DatasetNotFoundError):
        return f"hub:{name} is neither a file here nor a data set on the Hub that can be seen."
    if isinstance(error, ValueError):  # an unknown split or configuration: the message lists them
        return f"hub:{name}{f'@{split}' if split else ''} cannot be loaded: {said}"
    return (
        f"hub:{name}: the Hub cannot be reached or the data set cannot be loaded "
        f"({type(error).__name__}: {said}). Check the connection (HF_ENDPOINT, HF_HUB_OFFLINE), "
        "or download the files and give their path."
    )


def _hub_rows(dataset: Any) -> Iterator[Numbered]:
    for row, record in enumerate(dataset, start=1):
        yield Numbered(row, record)
