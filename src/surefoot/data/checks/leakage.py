"""Prompts that occur on the other side of a split, word for word or nearly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from datasketch import MinHash, MinHashLSH

from surefoot.arrays import Bools, Ints
from surefoot.data.checks.report import Finding
from surefoot.data.checks.scan import Context
from surefoot.data.schema import Preferences
from surefoot.data.text import normalised, to_text

#: What reasons call this check where it could not be made.
LEAKAGE = "leakage between splits"

#: Share of common shingles (Jaccard) from which two prompts count as nearly the same.
SIMILAR = 0.7

_SHINGLE = 6  # bytes
_PERMUTATIONS = 64
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def leakage(context: Context) -> Iterator[Finding | str]:
    """Prompts that the other data also has."""
    against = context.against
    if against is None:
        yield f"{LEAKAGE}: no other data was given to compare with."
        return
    keys, other_keys = context.scan["prompt"], against.prompt_keys()
    filled = context.scan["lengths"][:, 0] > 0
    exact = np.isin(keys, other_keys) & filled
    yield from context.finding(
        "leaked-prompt",
        "error",
        exact,
        f"These prompts also occur in {against.name}: figures on one side say less about new "
        "prompts when the other side was trained on.",
        "Split by prompt, or drop them from one side.",
    )
    near = np.isin(keys, similar(context.preferences, keys, filled & ~exact, against, other_keys))
    yield from context.finding(
        "leaked-near-duplicate",
        "warning",
        near,
        f"These prompts nearly occur in {against.name}: at least {SIMILAR:.0%} of their "
        f"{_SHINGLE}-letter pieces are shared. (The search by hashes finds about nine in ten of "
        "those just that similar, and nearly all of the more similar ones.)",
        "Look at some; drop them from one side, or report figures without them.",
    )
    opening = np.isin(context.scan["opening"], against.opening_keys()) & filled & ~exact & ~near
    yield from context.finding(
        "shared-opening",
        "note",
        opening,
        f"These prompts begin with the same user turn as one in {against.name}, and then go on "
        "differently, as the branches of one dialogue do.",
        "For a strict split, keep the branches of a dialogue together (data.split_by: dialogue).",
    )


def similar(
    here: Preferences, keys: Ints, wanted: Bools, against: Preferences, other_keys: Ints
) -> Ints:
    """Keys of the wanted prompts that have a near-duplicate in the other data.

    Keys are those of the prompts of each row, here and there (:meth:`Preferences.prompt_keys`).

    Each different prompt is hashed once; only hashes are kept, and the texts of the few
    candidates are looked up again to count their shared pieces exactly.
    """
    # Weighted to miss nothing: candidates that are not similar are sorted out below.
    index = MinHashLSH(threshold=SIMILAR, num_perm=_PERMUTATIONS, weights=(0.1, 0.9))
    for position in np.unique(other_keys, return_index=True)[1].tolist():
        index.insert(position, _sketch(_shingles(against, position)))
    positions = np.flatnonzero(wanted)
    positions = positions[np.unique(keys[positions], return_index=True)[1]]
    found = []
    for position in positions.tolist():
        shingles = _shingles(here, position)
        if not len(shingles):
            continue
        candidates = (_shingles(against, one) for one in index.query(_sketch(shingles)))
        if any(_jaccard(shingles, one) >= SIMILAR for one in candidates):
            found.append(keys[position])
    return np.array(found, dtype=np.int64)


def _shingles(preferences: Preferences, position: int) -> npt.NDArray[np.uint64]:
    """The hashes (32 bits) of all pieces of a prompt that are `_SHINGLE` bytes long.

    None where it says nothing, which is like no other prompt.
    """
    text = normalised(to_text(preferences.dataset[position]["prompt"]))
    if not text:
        return np.empty(0, dtype=np.uint64)
    letters = np.frombuffer(text.encode().ljust(_SHINGLE), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(letters, _SHINGLE).astype(np.uint64)
    places = np.uint64(8) * np.arange(_SHINGLE, dtype=np.uint64)
    packed = (windows << places).sum(axis=1, dtype=np.uint64)
    return np.unique((packed * _SPREAD) >> np.uint64(32))


def _sketch(shingles: npt.NDArray[np.uint64]) -> MinHash:
    sketch = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)  # the shingles are hashes already
    sketch.update_batch(shingles)
    return sketch


def _jaccard(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> float:
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / (len(a) + len(b) - shared)


CHECKS = (leakage,)
