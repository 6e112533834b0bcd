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
    """Figures that are read at a glance."""

    kind: ClassVar[str]  #: in results

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the kind."""
        return {"kind": self.kind, **fields_ready(self)}

    @staticmethod
    def read(content: Mapping[str, Any]) -> Picture:
        """The picture that :meth:`to_dict` wrote."""
        kinds = {one.kind: one for one in Picture.__subclasses__()}
        fields = {name: _read(value) for name, value in content.items() if name != "kind"}
        return kinds[content["kind"]](**fields)


@dataclass(frozen=True)
class Dots(Picture):
    """Estimates with their intervals, a line for each of some names: who is out of the band?"""

    kind = "dots"
    names: Sequence[str]  #: one for each line, from the top
    #: by name, an estimate (or None) for each line; one without an interval is hollow
    series: Series
    axis: str  #: what is measured
    band: Band  #: what does not matter
    picked: Sequence[str] = ()  #: names of the lines that the diagnosis is about


@dataclass(frozen=True)
class Curves(Picture):
    """Curves over a number: what is seen against what was fitted, before against after."""

    kind = "curves"
    at: Sequence[float]  #: where the estimates are, in order
    series: Series  #: by name, an estimate (or None) for each place
    axis: str  #: what is measured
    along: str  #: what it is measured over
    #: at each place, the lower and the upper end of what does not matter
    band: tuple[Sequence[float], Sequence[float]] | None = None
    points: Sequence[str] = ()  #: names of the series whose estimates are points, not a line


@dataclass(frozen=True)
class Arrows(Picture):
    """An arrow from nothing to each of some sizes: what pulls one way, what the other."""

    kind = "arrows"
    names: Sequence[str]  #: one for each arrow, from the top
    sizes: Sequence[Estimate]  #: how far each goes, with intervals
    axis: str  #: what is measured
    band: Band  #: what does not matter


@dataclass(frozen=True)
class Cells(Picture):
    """A table of estimates, coloured by the side of a point that they are on."""

    kind = "cells"
    rows: Sequence[str]  #: names of the rows
    columns: Sequence[str]  #: names of the columns
    cells: Sequence[Sequence[Estimate | None]]  #: an estimate (or None) for each column of each row
    row_title: str  #: what the rows are
    column_title: str  #: what the columns are
    middle: float = 0.5  #: the point; the nearer, the paler
    reach: float = 0.5  #: how far from the middle a cell has its full colour


@dataclass(frozen=True)
class Counts(Picture):
    """How often each value came, beside how often it would where nothing is wrong."""

    kind = "counts"
    edges: Sequence[float]  #: of the bins, one more than there are bins
    #: of each bin, how many there are; empty where only one value was seen (`value`)
    seen: Sequence[float]
    expected: Sequence[float]  #: of each bin, how many there would be
    axis: str  #: what is counted by
    value: float | None = None  #: the value seen, where the counts are of what it might have been
    #: what `seen` and `expected` are called
    names: tuple[str, str] = field(default=("seen", "expected where nothing is wrong"))


def _read(value: Any) -> Any:
    """A field of a picture, with its estimates wherever they stand in it."""
    if isinstance(value, Mapping):
        if "estimate" in value:
            return Estimate.read(value)
        return {name: _read(one) for name, one in value.items()}
    return [_read(one) for one in value] if isinstance(value, list) else value
