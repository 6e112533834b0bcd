"""Splits and folds that depend on content alone, with no unit on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from surefoot.data.keys import key_of
from surefoot.data.units import column_values, emptiest
from surefoot.errors import ConfigurationError, DataError, unknown_name

if TYPE_CHECKING:
    from surefoot.arrays import Ints
    from surefoot.data.schema import Preferences

#: What stays together. `dialogue`: prompts that begin with the same words of the user; `row`:
#: repeated pairs, in either orientation.
By = Literal["prompt", "dialogue", "source", "group", "row"]

#: Units of a name below which no share of them is near to what is asked.
_FEWEST = 10


def split(
    preferences: Preferences,
    fraction: float = 0.2,
    by: By = "prompt",
    seed: int = 0,
    alike: Sequence[str] = (),
) -> tuple[Preferences, Preferences]:
    """Split into (train, test), with about `fraction` of the rows in test.

    Which side a unit falls on depends on its content and the seed, not on the order of the rows.
    Rows keep their order. Near-duplicates may fall on both sides: `check(test, against=train)`.
    Of what the columns `alike` (source, group) name, test gets about that share each; names of few
    units count as one.

    Raises:
        DataError: fewer than two units, or rows without one.
        ConfigurationError: a fraction outside (0, 1), or an unknown `by`.
    """
    if not 0 < fraction < 1:
        raise ConfigurationError(f"fraction should lie between 0 and 1; got {fraction!r}.")
    units, sizes = _shuffled_units(preferences, by, seed, 2)
    taken = np.zeros(len(sizes), dtype=bool)
    for stratum in _strata(preferences, units, alike):
        # As many units, in hash order, as come nearest to the fraction, leaving one on each side.
        counts = np.cumsum(sizes[stratum])
        nearest = int(np.argmin(np.abs(counts[:-1] - fraction * counts[-1])))
        taken[stratum[: nearest + 1]] = True
    test = taken[units]
    return preferences.select(np.flatnonzero(~test)), preferences.select(np.flatnonzero(test))


def _strata(preferences: Preferences, units: Ints, columns: Sequence[str]) -> list[Ints]:
    """Units in order, by what their first row is named; those of rare names together."""
    first = np.unique(units, return_index=True)[1]
    named = list(zip(*(preferences.strings(column) for column in columns), strict=True))
    names = [str(named[row]) if named else "" for row in first.tolist()]
    _, ids, counts = np.unique(names, return_inverse=True, return_counts=True)
    rare = np.flatnonzero(counts < _FEWEST)
    if counts[rare].sum() < _FEWEST:  # too few even together: with the most frequent
        rare = np.append(rare, counts.argmax())
    ids[np.isin(ids, rare)] = rare[0]
    return [np.flatnonzero(ids == one) for one in np.unique(ids)]


def folds(preferences: Preferences, k: int, by: By = "prompt", seed: int = 0) -> Ints:
    """The fold of each row, shape (N,), in 0..k-1: balanced in rows, no unit in two folds.

    Raises:
        DataError: fewer than `k` units, or rows without one.
        ConfigurationError: `k` below 2, or an unknown `by`.
    """
    if k < 2:
        raise ConfigurationError(f"k should be at least 2; got {k!r}.")
    units, sizes = _shuffled_units(preferences, by, seed, k)
    # Largest units first, each into the fold that has the fewest rows so far.
    order = np.argsort(-sizes, kind="stable")
    fold_of = np.empty(len(sizes), dtype=np.int64)
    fold_of[order] = list(emptiest(sizes[order], range(k)))
    return fold_of[units]


def _shuffled_units(preferences: Preferences, by: By, seed: int, needed: int) -> tuple[Ints, Ints]:
    """Unit of each row, shape (N,), numbered in an order drawn by hash, and the units' sizes."""
    drawn = np.array([_draw(key, seed) for key in _keys(preferences, by)], dtype=np.uint64)
    _, units, sizes = np.unique(drawn, return_inverse=True, return_counts=True)
    if len(sizes) < needed:
        raise DataError(
            f"{preferences.name}: {len(sizes)} different {by}s in {len(preferences)} rows, and "
            f"{needed} are needed. Split by something of which there is more, or add data."
        )
    return units.reshape(-1), sizes


def _keys(preferences: Preferences, by: By) -> list[str]:
    if by not in get_args(By):
        raise ConfigurationError(unknown_name("by", by, get_args(By)))
    if by == "prompt":
        return [str(key) for key in preferences.prompt_keys()]
    if by == "dialogue":
        return [str(key) for key in dialogues(preferences)]
    if by == "row":
        return [f"{low}/{high}" for low, high in np.sort(preferences.response_keys(), axis=1)]
    return column_values(preferences, by)


def dialogues(preferences: Preferences) -> Ints:
    """A key (N,) that prompts share which begin with the same words of the user.

    It is the least of their keys, so that a prompt unlike all others is drawn as it is by prompt.
    """
    keys, openings = preferences.prompt_keys(), preferences.opening_keys()
    openings = np.where(openings == key_of(""), keys, openings)  # where the user says nothing
    _, dialogue = np.unique(openings, return_inverse=True)
    least = np.full(dialogue.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, dialogue, keys)
    return least[dialogue]


def _draw(key: str, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
