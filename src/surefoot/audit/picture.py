"""What a diagnosis is seen by: a picture of one of a few kinds, as figures; a page draws it.

Every kind shows the band of what does not matter. A measurement without a picture of its own is
shown by its size against that band, beside the others of its diagnostic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from surefoot.statistics.estimate import Estimate, fields_ready

#: Ends of what does not matter; None where it has none.
Band = tuple[float | None, float | None]
Series = Mapping[str, Sequence[Estimate | None]]


@dataclass(frozen=True)
class Picture:
    """Figures that are read at a glance.

    Attributes:
        kind: in results.
    """

    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the kind."""
        return {"kind": self.kind, **fields_ready(self)}


@dataclass(frozen=True)
class Dots(Picture):
    """Estimates with their intervals, a line for each of some names: who is out of the band?

    Attributes:
        names: one for each line, from the top.
        series: by name, an estimate (or None) for each line; one without an interval is hollow.
        axis: what is measured.
        band: what does not matter.
        picked: names of the lines that the diagnosis is about.
    """

    kind = "dots"
    names: Sequence[str]
    series: Series
    axis: str
    band: Band
    picked: Sequence[str] = ()


@dataclass(frozen=True)
class Curves(Picture):
    """Curves over a number: what is seen against what was fitted, before against after.

    Attributes:
        at: where the estimates are, in order.
        series: by name, an estimate (or None) for each place.
        axis: what is measured.
        along: what it is measured over.
        band: at each place, the lower and the upper end of what does not matter.
        points: names of the series whose estimates are points, not a line.
    """

    kind = "curves"
    at: Sequence[float]
    series: Series
    axis: str
    along: str
    band: tuple[Sequence[float], Sequence[float]] | None = None
    points: Sequence[str] = ()


@dataclass(frozen=True)
class Arrows(Picture):
    """An arrow from nothing to each of some sizes: what pulls one way, what the other.

    Attributes:
        names: one for each arrow, from the top.
        sizes: how far each goes, with intervals.
        axis: what is measured.
        band: what does not matter.
    """

    kind = "arrows"
    names: Sequence[str]
    sizes: Sequence[Estimate]
    axis: str
    band: Band


@dataclass(frozen=True)
class Cells(Picture):
    """A table of estimates, coloured by the side of a point that they are on.

    Attributes:
        rows: names of the rows.
        columns: names of the columns.
        cells: an estimate (or None) for each column of each row.
        row_title: what the rows are.
        column_title: what the columns are.
        middle: the point; the nearer, the paler.
        reach: how far from the middle a cell has its full colour.
    """

    kind = "cells"
    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[Estimate | None]]
    row_title: str
    column_title: str
    middle: float = 0.5
    reach: float = 0.5


@dataclass(frozen=True)
class Counts(Picture):
    """How often each value came, beside how often it would where nothing is wrong.

    Attributes:
        edges: of the bins, one more than there are bins.
        seen: of each bin, how many there are; empty where only one value was seen (`value`).
        expected: of each bin, how many there would be.
        axis: what is counted by.
        value: the value seen, where the counts are of what it might have been.
        names: what `seen` and `expected` are called.
    """

    kind = "counts"
    edges: Sequence[float]
    seen: Sequence[float]
    expected: Sequence[float]
    axis: str
    value: float | None = None
    names: tuple[str, str] = field(default=("seen", "expected where nothing is wrong"))
