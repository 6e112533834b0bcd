"""Units: what pairs share, and what a risk, a split or an interval is taken over."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from surefoot.data.text import last_turn, start_of
from surefoot.errors import ConfigurationError, DataError, unknown_name

if TYPE_CHECKING:
    from surefoot.arrays import Ints
    from surefoot.data.schema import Preferences

Unit = Literal["pair", "prompt", "source", "group", "cluster"]


def unit_ids(preferences: Preferences, unit: Unit) -> tuple[Ints, list[str]]:
    """The unit of each row, shape (N,), as a position in the list of names, which is returned too.

    Groups, sources and clusters are in alphabetical order, prompts and pairs in order of
    appearance; a prompt is named by the start of its last turn, a pair by its id or its place.

    Raises:
        DataError: the column is not given in every row.
        ConfigurationError: there is no such unit.
    """
    if unit == "pair":
        places = preferences.read("id", "file", "row")
        names = [f"{file}, row {row}" if given is None else given for given, file, row in places]
        return np.arange(len(preferences)), names
    if unit == "prompt":
        known: dict[int, int] = {}
        keys = preferences.prompt_keys().tolist()
        ids = np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)
        prompts = preferences.dataset.select(np.unique(ids, return_index=True)[1])["prompt"]
        return ids, [start_of(last_turn(prompt), 60) for prompt in prompts]
    if unit not in get_args(Unit):
        raise ConfigurationError(unknown_name("unit", unit, get_args(Unit)))
    distinct, found = np.unique(column_values(preferences, unit), return_inverse=True)
    return found.astype(np.int64), [str(name) for name in distinct]


def column_values(preferences: Preferences, column: str) -> list[str]:
    """A text column that has to be given in every row, such as `group`.

    Raises:
        DataError: it is null in some row.
    """
    values = [value for value in preferences.strings(column) if value is not None]
    absent = len(preferences) - len(values)
    if not absent:
        return values
    remedy = (
        f"Add it to the data, or say which of your columns holds it (data.columns: {{{column}: "
        f"yours}} in a configuration, --column {column}=yours)."
    )
    if column == "cluster" and not values:
        remedy = (
            "`surefoot train` makes clusters of prompts; in Python, PromptClusters of "
            "surefoot.scorers.embeddings.clusters does."
        )
    raise DataError(
        f"{preferences.name}: the column {column!r} is not given in {absent} of "
        f"{len(preferences)} rows. {remedy}"
    )


def pairs_per_unit(ids: Ints) -> str:
    """Unit ids, shape (N,), in words: with nearly one pair a unit, a risk over units is pairwise.

    >>> pairs_per_unit(np.array([0, 0, 1]))
    '3 pairs in 2 units (1.5 a unit, median 1.5, largest 2; 1 with a single pair)'
    """
    sizes = np.unique(ids, return_counts=True)[1]
    return (
        f"{len(ids)} pairs in {len(sizes)} units ({sizes.mean():.1f} a unit, median "
        f"{np.median(sizes):g}, largest {sizes.max()}; {(sizes == 1).sum()} with a single pair)"
    )


def emptiest(sizes: Iterable[float], bins: Iterable[int]) -> Iterator[int]:
    """The bin of each unit in turn: the one with the least so far, or the first of those."""
    loads = [(0.0, place, one) for place, one in enumerate(bins)]
    for size in sizes:
        load, place, one = loads[0]
        heapq.heapreplace(loads, (load + float(size), place, one))
        yield one
