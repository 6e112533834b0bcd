"""The pictures of the pages, as SVG: estimates with intervals, reliability, bars, a matrix, curves.

Each function returns an `<svg>` element (:class:`markupsafe.Markup`, a `str`) that follows the
page's light or dark colours. It says all of its figures to those who do not see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from surefoot.errors import ConfigurationError
from surefoot.report.svg import MARKERS, RULE, SERIES, TEXT, clean, drawing, inline
from surefoot.report.words import interval, number, parts
from surefoot.statistics import Calibration, Estimate

_WIDTH = 5.0  # inches
_LONGEST = 32  # characters of a label
_DASHED: dict[str, Any] = {"color": TEXT, "lw": 0.8, "linestyle": (0, (4, 3)), "alpha": 0.7}

Labelled = Mapping[str, Sequence[Estimate | None]]


def dot_interval_chart(
    labels: Sequence[str],
    series: Labelled,
    reference: float | None = None,
    *,
    axis: str = "",
    reference_label: str = "",
) -> Markup:
    """Estimates as points with their intervals, one line of the picture for each label.

    A series has an estimate (or None) per label, from the top; a point without an interval is
    hollow. The reference is a vertical line, such as 0.5 for chance.
    """
    _same_length(labels, series)
    height = 0.75 + max(1, len(labels)) * max(0.26, 0.13 * len(series) + 0.1)
    with drawing():
        figure, axes = _axes(height + 0.3 * (len(series) > 1))
        if reference is not None:
            axes.axvline(reference, **_DASHED)
            if reference_label:
                axes.annotate(
                    clean(reference_label, _LONGEST),
                    (reference, 1),
                    (0, 2),
                    xycoords=axes.get_xaxis_transform(),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                )
        step, handles = 0.7 / max(1, len(series)), {}
        for place, (name, look) in enumerate(_looks(series)):
            shift = (place - (len(series) - 1) / 2) * step
            (handles[name],) = axes.plot([], [], linestyle="none", **look)
            for line, point in enumerate(series[name]):
                if point is None or point.estimate is None or not point.reliable:
                    continue
                ends = [end for end in (point.low, point.high) if end is not None]
                if len(ends) == 2:
                    axes.plot(ends, [line + shift] * 2, color=look["color"], lw=1.6)
                hollow = {} if len(ends) == 2 else {"markerfacecolor": "none"}
                axes.plot([point.estimate], [line + shift], **look | hollow)
        _lines(axes, labels)
        axes.locator_params(axis="x", nbins=6)  # three decimals would touch each other
        axes.grid(axis="x")
        axes.set_xlabel(clean(axis))
        _legend(figure, handles)
        return inline(figure, _spoken(axis, labels, series))


def curve_chart(
    at: Sequence[float],
    series: Labelled,
    *,
    axis: str = "",
    along: str = "",
    reference: float | None = None,
) -> Markup:
    """Estimates over a number in order, such as accuracy over the share of flipped labels.

    A series has an estimate (or None) per number. The reference is a horizontal line.
    """
    _same_length(at, series)
    with drawing():
        figure, axes = _axes(3.2)
        if reference is not None:
            axes.axhline(reference, **_DASHED)
        handles = {}
        for name, look in _looks(series):
            drawn = [
                (x, e.estimate, e.low, e.high)
                for x, e in zip(at, series[name], strict=True)
                if e is not None and e.estimate is not None and e.reliable
            ]
            (handles[name],) = axes.plot(
                [x for x, *_ in drawn], [y for _, y, *_ in drawn], lw=1.6, **look
            )
            band = [(x, low, high) for x, _, low, high in drawn if low is not None]
            if band:
                axes.fill_between(*zip(*band, strict=True), color=look["color"], alpha=0.15, lw=0)
        axes.grid(axis="y")
        axes.set_xlabel(clean(along))
        axes.set_ylabel(clean(axis))
        _legend(figure, handles)
        return inline(figure, _spoken(axis, [f"{along} {x:g}".strip() for x in at], series))


def reliability_chart(calibrations: Mapping[str, Calibration]) -> Markup:
    """Confidence in the predicted winner against how often it won; the diagonal is perfect."""
    with drawing():
        figure, axes = _axes(3.6)
        axes.plot([0.5, 1], [0.5, 1], **_DASHED)
        lowest, handles = 0.4, {}
        for name, look in _looks(calibrations):
            bins = calibrations[name].bins
            for b in bins:
                if b.accuracy.low is not None and b.accuracy.high is not None:
                    ends = [b.accuracy.low, b.accuracy.high]
                    lowest = min(lowest, ends[0])
                    axes.plot([b.confidence] * 2, ends, color=look["color"], lw=1.4)
            means = [b.accuracy.estimate for b in bins]
            (handles[name],) = axes.plot(
                [b.confidence for b in bins], means, linestyle="none", **look
            )
        surest = max((b.confidence for c in calibrations.values() for b in c.bins), default=1.0)
        axes.set_xlim(0.49, min(1.01, max(0.6, 1.1 * surest - 0.05)))
        axes.set_ylim(max(0.0, lowest - 0.05), 1.03)
        axes.set_xlabel("confidence in the predicted winner")
        axes.set_ylabel("how often it won")
        axes.grid()
        _legend(figure, handles)
        spoken = "; ".join(
            f"{name}: "
            + ", ".join(
                f"at confidence {number(b.confidence, 2)} won {interval(b.accuracy, 2)}"
                for b in found.bins
            )
            for name, found in calibrations.items()
        )
        return inline(figure, f"Reliability. {spoken}.")


def bar_chart(
    labels: Sequence[str], values: Sequence[float], *, axis: str = "", form: str = "{:,.3g}"
) -> Markup:
    """Horizontal bars from the top with their figures: counts and shares, which have no interval.

    The form says how `str.format` writes a figure.
    """
    if len(labels) != len(values):
        raise ConfigurationError(f"{len(labels)} labels for {len(values)} values.")
    written = [form.format(value) for value in values]
    with drawing():
        figure, axes = _axes(0.6 + 0.28 * max(1, len(labels)))
        bars = axes.barh(range(len(labels)), values, height=0.62, color=SERIES[0], alpha=0.85)
        axes.bar_label(bars, labels=written, padding=3)
        axes.margins(x=0.14)
        _lines(axes, labels)
        axes.set_xlabel(clean(axis))
        axes.grid(axis="x")
        pairs = ", ".join(f"{a} {b}" for a, b in zip(labels, written, strict=True))
        return inline(figure, f"{axis or 'Bars'}: {pairs}.")


def matrix_chart(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Estimate | None]],
    *,
    row_title: str = "",
    column_title: str = "",
) -> Markup:
    """Estimates (or None) between 0 and 1 in a table, shaded by size, with intervals."""
    by_row = dict(zip(rows, cells, strict=True))
    _same_length(columns, by_row)
    with drawing():
        figure, axes = _axes(0.9 + 0.5 * len(rows))
        for i, line in enumerate(cells):
            for j, estimate in enumerate(line):
                _cell(axes, i, j, estimate)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_xticks(range(len(columns)), [clean(name, _LONGEST) for name in columns])
        axes.set_xlabel(clean(column_title))
        axes.xaxis.set_label_position("top")
        axes.xaxis.tick_top()
        axes.set_ylabel(clean(row_title))
        _lines(axes, rows)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return inline(figure, _spoken(f"{row_title} by {column_title}".strip(), columns, by_row))


def _cell(axes: Any, row: int, column: int, estimate: Estimate | None) -> None:
    """A shaded square with the figure and its interval, if there are these."""
    from matplotlib.patches import Rectangle

    value = 0.0 if estimate is None or estimate.estimate is None else estimate.estimate
    strength = 0.6 * min(max(value, 0.0), 1.0) ** 1.5
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=SERIES[0], alpha=strength, linewidth=0))
    if estimate is None or estimate.estimate is None:
        return
    shown, low, high = parts(estimate)
    axes.text(column, row - 0.14, shown, ha="center", va="center", size=11)
    if low:
        axes.text(column, row + 0.24, f"[{low}, {high}]", ha="center", va="center", size=7.5)


def _axes(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    return figure, figure.add_subplot()


def _looks(series: Mapping[str, object]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each name with the colour and the marker of its series."""
    for place, name in enumerate(series):
        k = place % len(SERIES)
        yield name, {"color": SERIES[k], "marker": MARKERS[k], "markersize": 5.5}


def _lines(axes: Any, labels: Sequence[str]) -> None:
    """One line for each label, the first at the top."""
    axes.set_yticks(range(len(labels)), [clean(label, _LONGEST) for label in labels])
    axes.set_ylim(max(len(labels), 1) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(RULE)


def _legend(figure: Any, handles: Mapping[str, Any]) -> None:
    """A legend above the picture, where there is more than one series.

    The names are put in afterwards: matplotlib leaves out those that begin with an underscore.
    """
    if len(handles) < 2:
        return
    stand_ins = [str(place) for place in range(len(handles))]
    names = [clean(name, _LONGEST) for name in handles]
    legend = figure.legend(
        list(handles.values()),
        stand_ins,
        loc="outside upper left",
        ncols=3 if max(map(len, names)) <= 18 else 1,
        handletextpad=0.4,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def _spoken(axis: str, labels: Sequence[str], series: Labelled) -> str:
    lines = (
        f"{label}: "
        + ", ".join(
            f"{name} {interval(line[place])}"  # type: ignore[arg-type]
            for name, line in series.items()
            if line[place] is not None
        )
        for place, label in enumerate(labels)
    )
    return f"{axis or 'Estimates with intervals'}. {'; '.join(lines)}."


def _same_length(labels: Sequence[object], series: Mapping[str, Sequence[object]]) -> None:
    for name, values in series.items():
        if len(values) != len(labels):
            raise ConfigurationError(f"{name!r} has {len(values)} values for {len(labels)} labels.")
