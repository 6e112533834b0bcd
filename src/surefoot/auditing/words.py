"""How often texts use the most common words and marks: how something is said, not what.

The most frequent words of texts, whatever their language, distinguish who wrote them (Burrows 2002,
'Delta': a measure of stylistic difference and a guide to likely authorship).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints

#: Words and marks that are counted; characters of a text, and rows, that are read.
MOST_WORDS, LONGEST, MOST_ROWS = 200, 2_000, 20_000
_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]|\n")


@dataclass(frozen=True)
class WordUse:
    """Shares of common words and marks."""

    rows: Ints  #: (M,) of the data that were read
    words: tuple[str, ...]  #: S words and marks
    values: Floats  #: (M, S) roots of their shares, in deviations about 0


def rows_read(count: int, seed: int) -> Ints:
    """Positions of all rows, or of as many as are read, drawn by the seed, in order."""
    if count <= MOST_ROWS:
        return np.arange(count, dtype=np.int64)
    drawn = np.random.default_rng(seed).choice(count, MOST_ROWS, replace=False)
    return np.sort(drawn).astype(np.int64)


def word_use(rows: Ints, *sides: Sequence[str]) -> WordUse:
    """Of one text for each row, or of the first of two less the second.

    Args:
        rows: (M,) that the texts are of.
        sides: M texts, once or twice.
    """
    counts = [[_counted(text) for text in side] for side in sides]
    spread = Counter(word for side in counts for one in side for word in one)
    words = tuple(w for w, _ in sorted(spread.items(), key=lambda o: (-o[1], o[0]))[:MOST_WORDS])
    place = {word: k for k, word in enumerate(words)}
    shares = [_shares(side, place) for side in counts]
    values = shares[0] - shares[1] if len(shares) > 1 else shares[0] - shares[0].mean(0)
    scale = np.sqrt(np.square(values).mean(0)) if len(values) else np.ones(len(words))
    varies = scale > 1e-9  # the rest is rounding
    return WordUse(rows, words, np.where(varies, values / np.where(varies, scale, 1.0), 0.0))


def _counted(text: str) -> Counter[str]:
    return Counter(_TOKEN.findall(text[:LONGEST].lower()))


def _shares(counts: Sequence[Counter[str]], place: dict[str, int]) -> Floats:
    found = np.zeros((len(counts), len(place)))
    for row, one in enumerate(counts):
        total = max(one.total(), 1)
        for word, count in one.items():
            if word in place:
                found[row, place[word]] = np.sqrt(count / total)
    return found
