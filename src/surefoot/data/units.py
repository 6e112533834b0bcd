"""Units: what pairs share, and what a risk, a split or an interval is taken over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from surefoot.data.schema import Preferences
from surefoot.data.text import last_turn, start_of
from surefoot.errors import ConfigurationError, DataError, unknown_name

Unit = Literal["pair", "prompt", "source", "group", "cluster"]


def unit_ids(preferences: Preferences, unit: Unit) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The unit of each row, shape (N,), as a position in the list of names, which is returned too.

    Groups, sources and clusters are in alphabetical order, prompts and pairs in order of
    appearance; a prompt is named by the start of its last turn, a pair by its id or its place.

    Raises:
        DataError: the column is not given in every row.
        ConfigurationError: there is no such unit.
    """
    if unit == "pair":
        return np.arange(len(preferences)), _pair_names(preferences)
    if unit == "prompt":
        _, first, inverse = np.unique(
            preferences.prompt_keys(), return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        prompts = preferences.dataset.select(first[order])["prompt"]
        return rank[inverse.reshape(-1)], [start_of(last_turn(prompt), 60) for prompt in prompts]
    if unit not in get_args(Unit):
        raise ConfigurationError(unknown_name("unit", unit, get_args(Unit)))
    names, ids = np.unique(column_values(preferences, unit), return_inverse=True)
    return ids.astype(np.int64), [str(name) for name in names]


def column_values(preferences: Preferences, column: str) -> list[str]:
    """A text column that has to be given in every row, such as `group`.

    Raises:
        DataError: it is null in some row.
    """
    values = [value for value in preferences.strings(column) if value is not None]
    absent = len(preferences) - len(values)
    if absent and column == "cluster" and not values:
        raise DataError(
            f"{preferences.name}: the column 'cluster' is not given in {absent} of "
            f"{len(preferences)} rows. `surefoot train` makes clusters of prompts; in Python, "
            "PromptClusters of surefoot.scorers.embeddings.clusters does."
        )
    if absent:
        raise DataError(
            f"{preferences.name}: the column {column!r} is not given in {absent} of "
            f"{len(preferences)} rows. Add it to the data, or say which of your columns holds it "
            f"(data.columns: {{{column}: yours}} in a configuration, --column {column}=yours)."
        )
    return values


@dataclass(frozen=True)
class PairsPerUnit:
    """How many pairs the units hold; `alone` counts the units with a single pair."""

    pairs: int
    units: int
    alone: int
    median: float
    largest: int

    def __str__(self) -> str:
        mean = self.pairs / max(self.units, 1)
        return (
            f"{self.pairs} pairs in {self.units} units ({mean:.1f} a unit, median "
            f"{self.median:g}, largest {self.largest}; {self.alone} with a single pair)"
        )


def pairs_per_unit(ids: npt.NDArray[np.int64]) -> PairsPerUnit:
    """Summary of unit ids, shape (N,): with nearly one pair a unit, a risk over units is pairwise.

    >>> print(pairs_per_unit(np.array([0, 0, 1])))
    3 pairs in 2 units (1.5 a unit, median 1.5, largest 2; 1 with a single pair)
    """
    sizes = np.unique(ids, return_counts=True)[1]
    return PairsPerUnit(
        pairs=len(ids),
        units=len(sizes),
        alone=int((sizes == 1).sum()),
        median=float(np.median(sizes)) if len(sizes) else 0.0,
        largest=int(sizes.max(initial=0)),
    )


def _pair_names(preferences: Preferences) -> list[str]:
    places = zip(
        *(preferences.strings(name) for name in ("id", "file")),
        preferences.numbers("row").astype(int),
        strict=True,
    )
    return [given if given is not None else f"{file}, row {row}" for given, file, row in places]
