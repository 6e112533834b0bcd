"""Pictures of an audit: each kind of :mod:`surefoot.auditing.picture` is drawn as it is read."""

from __future__ import annotations

from functools import singledispatch

from markupsafe import Markup

from surefoot.auditing.picture import Arrows, Cells, Counts, Curves, Dots, Picture
from surefoot.report.charts import count_chart, curve_chart, dot_interval_chart
from surefoot.report.matrix import matrix_chart

#: How each kind is read.
CAPTIONS: dict[str, str] = {
    "dots": "Grey does not matter. Lines are 95 % intervals; a hollow point has none.",
    "arrows": "Grey does not matter. Thin lines are 95 % intervals.",
    "curves": "Grey does not matter.",
    "cells": "Blue above, orange below the middle; in brackets the 95 % interval.",
    "counts": "Grey is expected where nothing is wrong.",
}


@singledispatch
def drawn(picture: Picture) -> Markup:
    """The picture as an `<svg>` element."""
    raise NotImplementedError(f"nothing draws {type(picture).__name__}.")


@drawn.register
def _(picture: Dots) -> Markup:
    return dot_interval_chart(
        picture.names,
        picture.series,
        axis=picture.axis,
        band=picture.band,
        picked=picture.picked,
    )


@drawn.register
def _(picture: Arrows) -> Markup:
    return dot_interval_chart(
        picture.names,
        {"size": picture.sizes},
        0.0,
        axis=picture.axis,
        band=picture.band,
        arrows=True,
    )


@drawn.register
def _(picture: Curves) -> Markup:
    return curve_chart(
        picture.at,
        picture.series,
        axis=picture.axis,
        along=picture.along,
        band=picture.band,
        points=picture.points,
    )


@drawn.register
def _(picture: Cells) -> Markup:
    return matrix_chart(
        picture.rows,
        picture.columns,
        picture.cells,
        row_title=picture.row_title,
        column_title=picture.column_title,
        middle=picture.middle,
        reach=picture.reach,
    )


@drawn.register
def _(picture: Counts) -> Markup:
    return count_chart(
        picture.edges,
        picture.seen,
        picture.expected,
        axis=picture.axis,
        value=picture.value,
        names=picture.names,
    )
