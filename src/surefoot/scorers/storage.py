"""Saved models: `model.safetensors` for the numbers, `surefoot.json` for what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from surefoot import plugins
from surefoot.errors import ConfigurationError, SurefootError, first_line
from surefoot.escaping import warn
from surefoot.paths import require_there
from surefoot.runs import atomic, require_finished

if TYPE_CHECKING:
    from torch import Tensor

    from surefoot.options import Options

SCHEMA_VERSION = 1
TENSORS, DESCRIPTION = "model.safetensors", "surefoot.json"
#: What runs of older versions, which left no mark, wrote after the model itself.
_OLDER = ("config.yaml", "manifest.json", "training-prompts.safetensors")


class _Rewards(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    mean: float
    std: float = Field(gt=0)


class _Description(BaseModel):
    """What every saved model says of itself; the scorer checks its own options."""

    model_config = ConfigDict(allow_inf_nan=False)

    scorer: dict[str, Any]
    objective: dict[str, Any]
    seed: int
    temperature: float = Field(gt=0)
    surefoot: str


class _OnEmbeddings(_Description):
    sources: list[str]
    encoder_key: str


class _OfLanguage(_Description):
    rewards: _Rewards
    reference_key: str | None


def save(folder: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write both files into a folder, which is made if absent.

    Raises:
        ConfigurationError: a tensor is not finite: such a model would score everything NaN.
    """
    from safetensors.torch import save_file

    require_finite(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)  # never one that is of other numbers
    with atomic.appearing(folder / TENSORS) as part:
        save_file({name: value.contiguous() for name, value in tensors.items()}, part)
    write_description(folder, description)


def require_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse a model that would score everything NaN.

    Raises:
        ConfigurationError: a tensor is not finite.
    """
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise ConfigurationError(
                f"not saved: {name} is not finite. The fit has diverged: lower the learning rate."
            )


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and description of a saved scorer.

    Raises:
        ConfigurationError: they are absent, damaged or of another schema version.
    """
    from safetensors.torch import load_file

    description = read_description(folder)
    path = _file_in(folder, TENSORS)
    with explained(path):
        return load_file(path), description


def description_of(
    scorer: Options, objective: Options, seed: int, temperature: float, **own: Any
) -> dict[str, Any]:
    """What `surefoot.json` says of any trained scorer, and what only this kind has."""
    return {
        "scorer": scorer.model_dump(mode="json"),
        "objective": objective.model_dump(mode="json"),
        "seed": seed,
        "temperature": temperature,
        "surefoot": version("surefoot"),
        **own,
    }


def write_description(folder: Path, description: Mapping[str, Any]) -> None:
    """Write `surefoot.json`, which says what the numbers mean."""
    atomic.write_json(folder / DESCRIPTION, {"schema_version": SCHEMA_VERSION, **description})


def read_description(folder: Path) -> dict[str, Any]:
    """Read what the numbers mean, of a model that was written to its end.

    Raises:
        ConfigurationError: it is absent, damaged or of another schema version, the run that wrote
            it was not finished, or a plugin is missing that it was trained with.
    """
    marked = require_finished(folder)
    path = _file_in(folder, DESCRIPTION)
    if not marked:
        _require_older_whole(folder)
    with explained(path):
        description: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = description.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ConfigurationError(
                f"{folder} was written with schema version {version!r}; this surefoot reads "
                f"{SCHEMA_VERSION}."
            )
        kind = _Description.model_validate(description).scorer["kind"]
        (_OnEmbeddings if kind == "embedding" else _OfLanguage).model_validate(description)
        plugins.require(description, str(folder))
    return description


def _file_in(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise ConfigurationError(f"{folder} is not a saved surefoot model: it has no {name}.")
    return folder / name


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Whatever goes wrong in reading a saved file is one message that names it.

    Raises:
        ConfigurationError: something did.
    """
    try:
        yield
    except (SurefootError, MemoryError, ImportError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {first_line(error)}"
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ConfigurationError(
            f"{path} is damaged ({why}). Copy it again from where it is whole, or run again what "
            "wrote it."
        ) from error


def _require_older_whole(folder: Path) -> None:
    """A folder without a mark is a bare model, or a run of an older version: then all of it."""
    absent = [name for name in _OLDER if not (folder / name).is_file()]
    if len(absent) == len(_OLDER):
        return
    if absent:
        raise ConfigurationError(
            f"{folder} holds a run that is not whole: {', '.join(absent)} missing, and nothing "
            "says that it was finished. Train it again (--overwrite)."
        )
    warn(
        f"{folder} was written by a surefoot that left no mark at the end of a run; all its pieces "
        "are there.",
        stacklevel=2,
    )


def require_model(place: str | Path) -> None:
    """Refuse a place that holds no model of ours and none of transformers, before it is loaded.

    Raises:
        ConfigurationError: there is nothing, a run that was not finished, or a folder without one.
    """
    require_there(place)
    folder = Path(place)
    require_finished(folder)
    names = (DESCRIPTION, "config.json", "adapter_config.json")
    if folder.is_dir() and not any((folder / name).is_file() for name in names):
        inside = [str(one.parent) for one in sorted(folder.glob(f"*/{DESCRIPTION}"))[:5]]
        hint = f" There are runs in it: {', '.join(inside)}." if inside else ""
        raise ConfigurationError(
            f"{folder} is no run folder (it has no {DESCRIPTION}), no transformers model (no "
            f"config.json), and no adapter (no adapter_config.json).{hint}"
        )
