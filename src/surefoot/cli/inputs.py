"""What several commands read: data, column names, run folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.scorers import EmbeddingRewardModel


def read(
    sources: Sequence[str],
    columns: Sequence[str],
    source_name: str | None = None,
    unlabelled: bool = False,
) -> Preferences:
    """Preferences from files or hub data sets, with a progress bar."""
    from surefoot.data import read_preferences

    with tqdm(desc="reading", unit="row", disable=None, leave=False) as bar:
        return read_preferences(
            list(sources),
            columns=mapping(columns),
            source_name=source_name,
            unlabelled=unlabelled,
            progress=bar.update,
        )


def mapping(columns: Sequence[str]) -> dict[str, str] | None:
    """`["prompt=question"]` as a mapping; None where it is empty.

    Raises:
        ConfigurationError: not of the form `ours=yours`.
    """
    pairs = [column.partition("=") for column in columns]
    for name, equals, theirs in pairs:
        if not (name and equals and theirs):
            raise ConfigurationError(
                f"--column is the contract's name = yours, as in prompt=question; got "
                f"{name + equals + theirs!r}."
            )
    return {name: theirs for name, _, theirs in pairs} or None


def load_models(folder: Path) -> list[EmbeddingRewardModel]:
    """The model of a run folder, or one for each `seed-*` inside it.

    Raises:
        ConfigurationError: there is none.
    """
    from surefoot.scorers import EmbeddingRewardModel

    return [EmbeddingRewardModel.load(one) for one in run_folders(folder)]


def run_folders(folder: Path) -> list[Path]:
    """The folder itself, or the `seed-*` folders inside it, in order of their seed."""
    seeds = [path for path in folder.glob("seed-*") if path.name[5:].isdigit()]
    if seeds and not (folder / "surefoot.json").exists():
        return sorted(seeds, key=lambda path: int(path.name[5:]))
    if not folder.exists():
        raise ConfigurationError(f"no run folder at {folder}.")
    return [folder]
