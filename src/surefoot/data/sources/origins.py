"""Where records come from: files, folders of them, data sets saved by `datasets`, or the Hub."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from surefoot.data.keys import digest_of
from surefoot.data.reading.cells import in_clear
from surefoot.data.sources.containers import EXTENSIONS, FORMS, ending_of, records
from surefoot.data.sources.tables import AT_ONCE, Numbered, arrow_rows
from surefoot.errors import DataError
from surefoot.paths import absent, expanded, on_hub

_SHARD = re.compile(r"(?P<stem>.+)-(?P<shard>\d{5})-of-(?P<shards>\d{5})")
#: Endings of the files of which a folder is read whole.
_SHARDED = (".parquet", ".arrow")


@dataclass(frozen=True)
class Origin:
    """Records and what to call them."""

    place: str  #: in messages: the path as it was given, or the Hub's name
    name: str  #: a short one, without folders and endings
    digest: str  #: hash of the content
    rows: Callable[[], Iterator[Numbered]]  #: starts reading, from the first record

    def records(self) -> Iterator[Numbered]:
        """The records from the first one, with messages that are written as text parsed."""
        return in_clear(self.rows())


def origins_of(source: str | Path) -> list[Origin]:
    """Find what a source names: one origin, or one for each file that a pattern matches.

    Takes a path, a pattern (`data/*.jsonl`), a folder of Parquet or Arrow files, a folder that
    `save_to_disk` of the library `datasets` wrote, `hub:owner/name[:configuration][@split]`, or a
    bare `owner/name`.

    Raises:
        DataError: there is no such file or data set, a part of a table is missing, or the Hub
            cannot be reached.
    """
    text = str(source)
    if text.startswith("hub:"):
        return [_from_hub(text.removeprefix("hub:"))]
    path = expanded(source)
    if path.is_file():
        return [_of_files([path], text, _short(path))]
    if path.is_dir():
        return [_from_folder(path, text)]
    if path.exists():
        raise DataError(f"{text} is not a regular file. Accepted: {FORMS}.")
    if glob.has_magic(text):
        found = [one for one in sorted(glob.glob(str(path), recursive=True)) if Path(one).is_file()]
        if not found:
            raise DataError(f"no file matches the pattern {text}.")
        return [_of_files([Path(one)], one, _short(Path(one))) for one in found]
    if isinstance(source, str) and on_hub(text, bare=False):
        return [_from_hub(text)]
    raise DataError(absent(text, path))


def _of_files(paths: Sequence[Path], place: str, name: str) -> Origin:
    """The rows of a file, or of the parts of a table, which are counted through."""

    def rows() -> Iterator[Numbered]:
        before = last = 0
        for path in paths:
            for numbered in records(path):
                last = before + numbered.row
                yield numbered._replace(row=last)
            before = last

    return Origin(place, name, _digest(paths), rows)


def _from_folder(folder: Path, text: str) -> Origin:
    """The rows of `save_to_disk`, or of the parts of one table in their order."""
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(one.parent.name for one in folder.glob("*/state.json"))
        if len(splits) == 1:
            return _from_folder(folder / splits[0], f"{text}/{splits[0]}")
        named = ", ".join(f"{text}/{split}" for split in splits)
        raise DataError(f"{text} holds several splits; name one: {named}.")
    if (folder / "state.json").is_file():
        return _saved(folder, text)
    files = sorted((p for p in folder.iterdir() if p.is_file() and _is_data(p)), key=_in_order)
    if not files or any(ending_of(path) not in _SHARDED for path in files):
        below = sorted({path.parent.name for path in folder.glob("*/*") if _is_data(path)})
        names = ", ".join(path.name for path in files[:10]) or "no file in it can be read"
        hint = f" (there are some in its folders {', '.join(below[:5])})" if below else ""
        raise DataError(f"{text} is a folder; name the files in it: {names}{hint}.")
    stems = [path.name.removesuffix(path.suffix) for path in files]
    shards = {stem: shard for stem in stems if (shard := _SHARD.fullmatch(stem))}
    tables = sorted({shards[stem]["stem"] if stem in shards else stem for stem in stems})
    if len(tables) > 1 and (shards or not all(map(_NUMBERED.fullmatch, tables))):
        named = ", ".join(f"{text}/{table}*{files[0].suffix}" for table in tables[:10])
        raise DataError(f"{text} holds several tables (splits?); name one by a pattern: {named}.")
    _require_all(list(shards.values()))
    return _of_files(files, text, folder.resolve().name)


def _is_data(path: Path) -> bool:
    return ending_of(path) in EXTENSIONS


#: Parts that differ by their number alone, as `part-0001` or `0001`.
_NUMBERED = re.compile(r"(part|shard|data|chunk)?[-_.]?\d+([-_.].*)?")


def _in_order(path: Path) -> list[tuple[str, int]]:
    """Sorts names by the numbers in them, so that part 10 follows part 9."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", path.name)]


def _require_all(shards: Sequence[re.Match[str]]) -> None:
    """Parts that say how many they are have to be all there."""
    count = max((int(shard["shards"]) for shard in shards), default=0)
    missing = set(range(count)) - {int(shard["shard"]) for shard in shards}
    if missing:
        raise DataError(
            f"{len(missing)} of {count} parts are missing beside {shards[0].string}, the first of "
            f"them number {min(missing):05d}. Copy or download them, or name the files that are to "
            "be read."
        )


def _saved(folder: Path, text: str) -> Origin:
    try:
        loaded = datasets.load_from_disk(str(folder)).with_format(None)
    except Exception as error:  # whatever the library comes up with for a damaged folder
        said = " ".join(str(error).split())[:200]
        raise DataError(
            f"{text} looks like a data set of `save_to_disk`, and cannot be loaded "
            f"({type(error).__name__}: {said})."
        ) from None
    digest = _digest([folder / "state.json", *sorted(folder.glob("*.arrow"))])
    return Origin(text, folder.resolve().name, digest, lambda: _dataset_rows(loaded))


def _digest(paths: Sequence[Path]) -> str:
    """Hash of the content of files."""
    found = []
    for path in paths:
        try:
            with path.open("rb") as stream:
                found.append(hashlib.file_digest(stream, "blake2b").hexdigest())
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    return (found[0] if len(found) == 1 else digest_of(*found))[:32]


def _short(path: Path) -> str:
    endings = "|".join(map(re.escape, EXTENSIONS))
    return re.sub(rf"({endings})?(\.gz)?$", "", path.name, count=1, flags=re.I) or path.name


def _from_hub(text: str) -> Origin:
    whole, _, split = text.partition("@")
    name, _, configuration = whole.partition(":")
    if not name:
        raise DataError(f"hub:{text} names no data set: hub:owner/name[:configuration][@split].")
    try:
        loaded = datasets.load_dataset(name, configuration or None, split=split or None)
    except Exception as error:  # whatever the network, the Hub or its files come up with
        raise DataError(_hub_message(whole, split, error)) from error
    if isinstance(loaded, dict):
        split = "train" if "train" in loaded else next(iter(loaded))
        if len(loaded) > 1 and split != "train":
            raise DataError(f"hub:{whole} has several splits; add one: @{', @'.join(loaded)}.")
        loaded = loaded[split]
    name = f"{whole}@{split}"
    # The fingerprint is the Hub library's own hash of the files that the rows came from.
    return Origin(f"hub:{name}", name, str(loaded._fingerprint), lambda: _dataset_rows(loaded))


def _hub_message(name: str, split: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300]
    if isinstance(error, datasets.exceptions.DatasetNotFoundError):
        return f"hub:{name} is neither a file here nor a data set on the Hub that can be seen."
    if isinstance(error, ValueError):  # an unknown split or configuration: the message lists them
        hint = " Write it as hub:owner/name:configuration@split." if "onfig" in reason else ""
        return f"hub:{name}{f'@{split}' if split else ''} cannot be loaded: {reason}{hint}"
    return (
        f"hub:{name}: the Hub cannot be reached or the data set cannot be loaded "
        f"({type(error).__name__}: {reason}). Check the connection (HF_ENDPOINT, HF_HUB_OFFLINE), "
        "or download the files and give their path."
    )


def _dataset_rows(dataset: Any) -> Iterator[Numbered]:
    tables = dataset.with_format("arrow").iter(batch_size=AT_ONCE)
    return arrow_rows(batch for table in tables for batch in table.to_batches())
