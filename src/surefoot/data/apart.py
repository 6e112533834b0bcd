"""Pairs for a proof: set apart before anything is looked at, and like none of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from surefoot.arrays import Ints
from surefoot.data.checks.leakage import SIMILAR, similar
from surefoot.data.keys import key_of
from surefoot.data.schema import Preferences
from surefoot.data.splits import By, dialogues, split

#: Rows below which a fifth of them could not show a difference of .1.
FEWEST = 500
#: Share of the rows that is set apart, and how many at most: enough for a difference of .02.
SHARE, MOST = 0.2, 4000

_ONE = "all rows are of one prompt."
_LINKED = (
    "rows have no prompt, and are all connected by responses that they share, so that none is "
    "independent of the others. More can be asked of pairs that share none: take each response "
    "into one pair."
)


@dataclass(frozen=True)
class Apart:
    """Comparisons in two parts."""

    rest: Preferences  #: to look at and to train on
    held_out: Preferences | None  #: None where too few would be left on either side
    sentence: str  #: what was done, and why


def set_apart(preferences: Preferences, seed: int = 0) -> Apart:
    """Hold out a fifth of the dialogues with their pairs, of each source and group alike.

    Branches of a dialogue stay together, unless all rows are branches of one: then prompts do.
    What nearly occurs on the other side stays with it; where that would leave less than half of
    what was held out (prompts made of one template), it is left where it is.
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
    units: dict[By, Ints] = {
        "dialogue": dialogues(preferences),
        "prompt": preferences.prompt_keys(),
    }
    bare = bool((preferences.opening_keys() == key_of("")).all())
    by = next((by for by, keys in units.items() if len(np.unique(keys)) > 1), None)
    if by is None:
        return Apart(preferences, None, f"Nothing was held out: {_LINKED if bare else _ONE}")
    rest, held_out = split(preferences, share, by, seed, alike)
    apart = _without_similar(preferences, rest, held_out, units[by])
    how = f"none of which is {SIMILAR:.0%} like one of the others"
    if len(apart[1]) < len(held_out) / 2:
        apart, how = (rest, held_out), "though many are much like others, as of one template"
    rest, held_out = apart
    name = f"{preferences.name}, held out"
    return Apart(
        rest,
        replace(held_out, name=name),
        f"Held out before anything was looked at: {len(held_out):,} of {len(preferences):,} rows, "
        f"with all pairs {'that share a response' if bare else f'of their {by}s'}, {how}.",
    )


def _without_similar(
    preferences: Preferences, rest: Preferences, held_out: Preferences, units: Ints
) -> tuple[Preferences, Preferences]:
    """The sides once units (N,) with a prompt like one of the rest have joined it, and so on."""
    keys, own, against = preferences.prompt_keys(), held_out.prompt_keys(), rest
    inside = np.isin(keys, own)
    while len(against):
        kept = inside[np.isin(keys, own)]
        alike = similar(held_out, own, kept, against, against.prompt_keys())
        joins = inside & np.isin(units, units[np.isin(keys, alike)])
        against = preferences.select(np.flatnonzero(joins))
        inside &= ~joins
    return preferences.select(np.flatnonzero(~inside)), preferences.select(np.flatnonzero(inside))
