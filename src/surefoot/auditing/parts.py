"""Labels by whoever or whatever they come from: parts of the data, and annotators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.auditing.material import Material, Names

#: More labels of annotators than this are not read, so that memory is bounded.
MOST_VOTES = 20_000


@dataclass(frozen=True)
class LabelsByPart:
    """Labels of rows that have a weight, each from a named part."""

    column: str  #: what parts are: `source`, `group` or `annotator`
    parts: tuple[str, ...]  #: those with enough labels that are no ties, the most frequent first
    rows: Ints  #: (V,) of the data; all in order, or those that annotators voted on
    labels: Floats  #: (V,) P(a preferred)
    names: Names  #: (V,) the part of each; None where it is none of these

    @property
    def whole(self) -> bool:
        """Whether these are the rows of the data as they stand."""
        return self.column != "annotator"


def parts_of(names: Names, fewest: int) -> list[str]:
    """The names (N,) that so many rows have, the most frequent first."""
    counts = Counter(name for name in names.tolist() if name is not None)
    return sorted((n for n in counts if counts[n] >= fewest), key=lambda n: (-counts[n], n))


def labels_by_part(
    material: Material, fewest: int, most: int | None = None
) -> Iterator[LabelsByPart]:
    """The labels by each column that names parts, and by annotator where votes name them.

    Args:
        material: the comparisons.
        fewest: labels that are no ties, of a part that is one.
        most: parts, the largest; None: any number.
    """
    everyone = np.arange(len(material.labels))
    for column, names in material.groupings.items():
        yield _of(material, column, everyone, material.labels, names, fewest, most)
    votes = material.votes
    if len(votes.names) > 1:
        named = votes.annotator >= 0
        who = np.array(votes.names, dtype=object)[votes.annotator[named]]
        yield _of(material, "annotator", votes.pair[named], votes.value[named], who, fewest, most)


def _of(
    material: Material,
    column: str,
    rows: Ints,
    labels: Floats,
    names: Names,
    fewest: int,
    most: int | None,
) -> LabelsByPart:
    counted = material.weights[rows] > 0
    parts = tuple(parts_of(names[counted & (labels != 0.5)], fewest)[:most])
    kept = counted & np.array([name in parts for name in names.tolist()], dtype=bool)
    if column != "annotator":
        known = names.copy()
        known[~kept] = None
        return LabelsByPart(column, parts, rows, labels, known)
    at = np.flatnonzero(kept)
    if len(at) > MOST_VOTES:
        at = np.sort(np.random.default_rng(0).choice(at, MOST_VOTES, replace=False))
    return LabelsByPart(column, parts, rows[at], labels[at], names[at])
