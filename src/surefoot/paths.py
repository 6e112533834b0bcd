"""Places on this machine: folders of the cache, names that are paths, and what leads nowhere."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import ConfigurationError, SurefootError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

#: What a model or a data set on the Hub is called, with the part and the split of the latter.
_ON_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(:[\w.-]+)?(@[\w.\-\[\]:%+]+)?")
#: Folders in which everybody keeps what is their own: no owner on the Hub is meant.
_AT_HOME = {"runs", "data", "checkpoints", "outputs"}
#: Endings of files that hold data and nothing else.
DATA_ENDINGS = {".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow"}
#: Endings of files: a name with one of them is a path.
_ENDINGS = {
    *(*DATA_ENDINGS, ".json", ".txt", ".gz"),
    *(".yaml", ".yml", ".py", ".gguf", ".safetensors", ".bin", ".pt", ".pth"),
}


@dataclass(frozen=True)
class Place:
    """Marks an option that names places on this machine: `~` is the user's own folder in it."""

    reads: bool
    """It names files, folders or models which are read, so that no output may lie in their place;
    see :func:`surefoot.options.places_of`."""
    bare: bool = True
    """A name alone, without folder and ending, may be that of something else: a model on the Hub,
    a suite."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(_at_home, handler(source))

    def require(self, value: Any) -> None:
        """Refuse what is meant as a path and leads nowhere; see :func:`require_there`."""
        places = (value,) if isinstance(value, str | Path) else value
        if self.reads and isinstance(places, Iterable):
            for place in places:
                if isinstance(place, str | Path):
                    require_there(place, self.bare)


#: As in `Annotated[str, READS]`; of FILES a name alone is that of a file, and `owner/name` may be
#: on the Hub.
READS, WRITES, FILES = Place(reads=True), Place(reads=False), Place(reads=True, bare=False)


def _at_home(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_at_home, value))
    return str(expanded(value)) if isinstance(value, str) and value.startswith("~") else value


def cache_folder(name: str) -> Path:
    """A folder of the cache, made if absent: under `$SUREFOOT_CACHE` or `~/.cache/surefoot`."""
    root = os.environ.get("SUREFOOT_CACHE")
    folder = expanded(root or "~/.cache/surefoot") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SurefootError(
            f"the cache folder {folder} cannot be made ({error.strerror or error}). Set "
            "SUREFOOT_CACHE to a folder with space and write permission."
        ) from None
    return folder


def expanded(place: str | Path) -> Path:
    """A path whose `~` is the folder of a user; as it is where no such user is known."""
    try:
        return Path(place).expanduser()
    except RuntimeError:
        return Path(place)


def on_hub(name: str, bare: bool = True) -> bool:
    """Whether a name at which nothing lies here may be one on the Hub, and not a wrong path.

    A path is what has the ending of a file, several folders, or one that is here; `bare`: what has
    no folder may be on the Hub, too.
    """
    if not _ON_HUB.fullmatch(name):
        return False
    name = re.split("[:@]", name, maxsplit=1)[0]
    owner, slash, _ = name.rpartition("/")
    if Path(name).suffix.lower() in _ENDINGS:
        return False
    return not (owner in _AT_HOME or Path(owner).is_dir()) if slash else bare


def require_there(place: str | Path, bare: bool = True) -> None:
    """Refuse what is meant as a path and leads nowhere: no library and no hub is asked about it.

    Takes a path, a pattern, `hub:owner/name`, `module:function`, `file.py:function`, and names of
    the Hub, of which `bare` allows those without an owner.

    Raises:
        ConfigurationError: nothing lies there; the message gives the nearest name.
    """
    text = str(place)
    file, _, function = text.rpartition(":")
    if function.isidentifier() and file.endswith(".py"):
        text = file
    elif text.startswith("hub:") or (function.isidentifier() and file and "/" not in file):
        return
    path = expanded(text)
    if path.exists() or on_hub(text, bare):
        return
    if not glob.has_magic(text):
        raise ConfigurationError(absent(text, path))
    if next(glob.iglob(str(path), recursive=True), None) is None:
        raise ConfigurationError(f"no file matches the pattern {text}.")


def absent(text: str, path: Path) -> str:
    """Message that nothing lies at a path, written as this text; with the nearest name."""
    if not path.parent.is_dir():
        return f"{text} does not exist, nor does the folder {path.parent}."
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    return f"{text} does not exist" + (f": did you mean {near[0]!r}?" if near else ".")
