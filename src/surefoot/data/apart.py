"""Pairs for a proof: set apart before anything is looked at, and like none of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from surefoot.data.checks.leakage import SIMILAR, similar
from surefoot.data.schema import Preferences, opening_key
from surefoot.data.splits import split
from surefoot.errors import DataError

#: Rows below which a fifth of them could not show a difference of .1.
FEWEST = 500
#: Share of the rows that is set apart, and how many at most: enough for a difference of .02.
SHARE, MOST = 0.2, 4000


@dataclass(frozen=True)
class Apart:
    """Comparisons in two parts."""

    rest: Preferences  #: to look at and to train on
    held_out: Preferences | None  #: None where too few would be left on either side
    sentence: str  #: what was done, and why


def set_apart(preferences: Preferences, seed: int = 0) -> Apart:
    """Hold out a fifth of the prompts with their pairs, of each source and group alike.

    Prompts that nearly occur on the other side, and branches of its dialogues, stay with it; where
    that would leave less than half of what was held out (prompts made of one template), prompts are
    only kept whole.
    """
    if len(preferences) < FEWEST:
        return Apart(
            preferences,
            None,
            f"Nothing was held out: to train and to compare takes {FEWEST} rows or more, of which "
            f"there are {len(preferences)}. Compare on other data.",
        )
    share = min(SHARE, MOST / len(preferences))
    alike = [column for column in ("source", "group") if preferences.has(column)]
    try:
        rest, held_out = split(preferences, share, "prompt", seed, alike)
    except DataError:
        return Apart(preferences, None, "Nothing was held out: all rows are of one prompt.")
    apart = _without_similar(preferences, rest, held_out)
    how = f"none of which is {SIMILAR:.0%} like one of the others"
    if len(apart[1]) < len(held_out) / 2:
        apart, how = (rest, held_out), "though many are much like others, as of one template"
    rest, held_out = apart
    name = f"{preferences.name}, held out"
    return Apart(
        rest,
        replace(held_out, name=name),
        f"Held out before anything was looked at: {len(held_out):,} of {len(preferences):,} rows, "
        f"with all pairs of their prompts, {how}.",
    )


def _without_similar(
    preferences: Preferences, rest: Preferences, held_out: Preferences
) -> tuple[Preferences, Preferences]:
    """The two sides once prompts that resemble one of the rest have joined it, and so on.

    Branches of one dialogue resemble each other: they begin with the same words of the user.
    """
    keys, own, against = preferences.prompt_keys(), held_out.prompt_keys(), rest
    inside, openings = np.isin(keys, own), _openings(held_out)
    while len(against):
        kept = inside[np.isin(keys, own)]
        alike = similar(held_out, own, kept, against, against.prompt_keys())
        found = np.union1d(alike, own[kept & np.isin(openings, _openings(against))])
        against = preferences.select(np.flatnonzero(np.isin(keys, found) & inside))
        inside &= ~np.isin(keys, found)
    return preferences.select(np.flatnonzero(~inside)), preferences.select(np.flatnonzero(inside))


def _openings(preferences: Preferences) -> npt.NDArray[np.int64]:
    """A key (N,) of what the user says first."""
    found = [opening_key(prompt) for (prompt,) in preferences.read("prompt")]
    return np.array(found, dtype=np.int64)
