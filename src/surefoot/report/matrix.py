"""The picture of a matrix, as SVG: estimates in a table, shaded by how far they lie off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from surefoot.report.axes import LONGEST, label_lines, new_axes, same_length, spoken
from surefoot.report.svg import SERIES, clean, drawing, inline
from surefoot.report.words import parts
from surefoot.statistics import Estimate


def matrix_chart(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Estimate | None]],
    *,
    row_title: str = "",
    column_title: str = "",
    middle: float = 0.0,
    reach: float = 1.0,
) -> Markup:
    """Estimates (or None) in a table with their intervals, shaded by the distance from a middle.

    Those above it have one colour, those below another; at a distance of `reach` it is full.
    """
    by_row = dict(zip(rows, cells, strict=True))
    same_length(columns, by_row)
    with drawing():
        figure, axes = new_axes(0.9 + 0.5 * len(rows))
        for i, line in enumerate(cells):
            for j, estimate in enumerate(line):
                _cell(axes, i, j, estimate, middle, reach)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_xticks(range(len(columns)), [clean(name, LONGEST) for name in columns])
        axes.set_xlabel(clean(column_title))
        axes.xaxis.set_label_position("top")
        axes.xaxis.tick_top()
        axes.set_ylabel(clean(row_title))
        label_lines(axes, rows)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return inline(figure, spoken(f"{row_title} by {column_title}".strip(), columns, by_row))


def _cell(
    axes: Any, row: int, column: int, estimate: Estimate | None, middle: float, reach: float
) -> None:
    """A shaded square with the figure and its interval, if there are these."""
    from matplotlib.patches import Rectangle

    value = middle if estimate is None or estimate.estimate is None else estimate.estimate
    strength = 0.6 * min(abs(value - middle) / reach, 1.0) ** 1.5
    corner, colour = (column - 0.5, row - 0.5), SERIES[0 if value >= middle else 1]
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, alpha=strength, linewidth=0))
    if estimate is None or estimate.estimate is None:
        return
    shown, low, high = parts(estimate)
    axes.text(column, row - 0.14, shown, ha="center", va="center", size=11)
    if low:
        axes.text(column, row + 0.24, f"[{low}, {high}]", ha="center", va="center", size=7.5)
