"""The pictures of the pages, as SVG: estimates, reliability, bars, counts, curves.

Each function returns an `<svg>` element (:class:`markupsafe.Markup`, a `str`) that follows the
page's light or dark colours. It says all of its figures to those who do not see it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from surefoot.errors import ConfigurationError
from surefoot.report.axes import (
    GREY,
    LONGEST,
    NO_BAND,
    Band,
    Labelled,
    grey_band,
    label_lines,
    legend,
    looks,
    new_axes,
    same_length,
    spoken,
)
from surefoot.report.svg import SERIES, TEXT, clean, drawing, inline
from surefoot.report.words import interval, number
from surefoot.statistics import Calibration, Estimate

_FEW = 12  # places of a curve that are marked one by one
_DASHED: dict[str, Any] = {"color": TEXT, "lw": 0.8, "linestyle": (0, (4, 3)), "alpha": 0.7}


def dot_interval_chart(
    labels: Sequence[str],
    series: Labelled,
    reference: float | None = None,
    *,
    axis: str = "",
    reference_label: str = "",
    band: Band = NO_BAND,
    picked: Collection[str] = (),
    arrows: bool = False,
) -> Markup:
    """Estimates as points with their intervals, one line of the picture for each label.

    A series has an estimate (or None) per label, from the top; a point without an interval is
    hollow. The reference is a vertical line, such as 0.5 for chance. The band is what does not
    matter. Labels that are picked are bold, the points of others are pale. Arrows reach from 0 to
    the points.
    """
    same_length(labels, series)
    beside = max(
        (sum(x is not None for x in line) for line in zip(*series.values(), strict=True)), default=1
    )
    height = 0.75 + max(1, len(labels)) * max(0.26, 0.13 * beside + 0.1)
    with drawing():
        figure, axes = new_axes(height + 0.3 * (len(series) > 1))
        axes.margins(x=0.08)
        if reference is not None:
            axes.axvline(reference, **_DASHED)
            if reference_label:
                axes.annotate(
                    clean(reference_label, LONGEST),
                    (reference, 1),
                    (0, 2),
                    xycoords=axes.get_xaxis_transform(),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                )
        step, handles = 0.7 / max(1, beside), {}
        for place, (name, look) in enumerate(looks(series)):
            (handles[name],) = axes.plot([], [], linestyle="none", **look)
            for line, point in enumerate(series[name]):
                if point is not None and point.estimate is not None and point.reliable:
                    there = [k for k, one in enumerate(series.values()) if one[line] is not None]
                    shift = (there.index(place) - (len(there) - 1) / 2) * step
                    pale = {"alpha": 0.45} if picked and labels[line] not in picked else {}
                    _point(axes, point, line + shift, look | pale, arrow=arrows)
        grey_band(axes, band)
        label_lines(axes, labels)
        for text, label in zip(axes.get_yticklabels(), labels, strict=True):
            text.set_fontweight("bold" if label in picked else "normal")
        axes.locator_params(axis="x", nbins=6)  # three decimals would touch each other
        axes.grid(axis="x")
        axes.set_xlabel(clean(axis))
        legend(figure, handles)
        return inline(figure, spoken(axis, labels, series))


def _point(axes: Any, point: Estimate, line: float, look: dict[str, Any], arrow: bool) -> None:
    """An estimate with its interval on a line, hollow where it has none; or an arrow from 0."""
    ends = [end for end in (point.low, point.high) if end is not None]
    if len(ends) == 2:
        axes.plot(ends, [line] * 2, lw=1.6, **{k: look[k] for k in look if k != "marker"})
    if arrow:
        axes.plot([0], [line], linestyle="none")  # an annotation takes no room
        head = {"arrowstyle": "-|>,head_width=0.35,head_length=0.7", "shrinkA": 0, "shrinkB": 0}
        shaft = {"color": look["color"], "lw": 4, "alpha": 0.8}
        axes.annotate("", (point.estimate, line), (0, line), arrowprops=head | shaft)
        return
    hollow = {} if len(ends) == 2 else {"markerfacecolor": "none"}
    axes.plot([point.estimate], [line], **look | hollow)


def curve_chart(
    at: Sequence[float],
    series: Labelled,
    *,
    axis: str = "",
    along: str = "",
    reference: float | None = None,
    band: tuple[Sequence[float], Sequence[float]] | None = None,
    points: Collection[str] = (),
) -> Markup:
    """Estimates over a number in order, such as accuracy over the share of flipped labels.

    A series has an estimate (or None) per number; those named in `points` are no line. The
    reference is a horizontal line. The band, between two ends at each number, is what does not
    matter.
    """
    same_length(at, series)
    with drawing():
        figure, axes = new_axes(3.2)
        if reference is not None:
            axes.axhline(reference, **_DASHED)
        if band is not None:
            axes.fill_between(at, *band, **GREY)
        handles = {}
        for name, look in looks(series):
            drawn = [
                (x, e.estimate, e.low, e.high)
                for x, e in zip(at, series[name], strict=True)
                if e is not None and e.estimate is not None and e.reliable
            ]
            apart = name in points
            line = (
                {"linestyle": "none"} if apart else {"markersize": 0 if len(drawn) > _FEW else 5.5}
            )
            (handles[name],) = axes.plot(
                [x for x, *_ in drawn], [y for _, y, *_ in drawn], lw=1.6, **look | line
            )
            ends = [(x, low, high) for x, _, low, high in drawn if low is not None]
            if ends and apart:
                x, low, high = zip(*ends, strict=True)
                axes.vlines(x, low, high, color=look["color"], lw=1.4)
            elif ends:
                axes.fill_between(*zip(*ends, strict=True), color=look["color"], alpha=0.15, lw=0)
        if len(at) <= _FEW:
            axes.set_xticks(at)
        axes.grid(axis="y")
        axes.set_xlabel(clean(along))
        axes.set_ylabel(clean(axis))
        legend(figure, handles)
        return inline(figure, spoken(axis, [f"{along} {x:g}".strip() for x in at], series))


def reliability_chart(calibrations: Mapping[str, Calibration]) -> Markup:
    """Confidence in the predicted winner against how often it won; the diagonal is perfect."""
    with drawing():
        figure, axes = new_axes(3.6)
        axes.plot([0.5, 1], [0.5, 1], **_DASHED)
        lowest, handles = 0.4, {}
        for name, look in looks(calibrations):
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
        legend(figure, handles)
        words = "; ".join(
            f"{name}: "
            + ", ".join(
                f"at confidence {number(b.confidence, 2)} won {interval(b.accuracy, 2)}"
                for b in found.bins
            )
            for name, found in calibrations.items()
        )
        return inline(figure, f"Reliability. {words}.")


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
        figure, axes = new_axes(0.6 + 0.28 * max(1, len(labels)))
        bars = axes.barh(range(len(labels)), values, height=0.62, color=SERIES[0], alpha=0.85)
        axes.bar_label(bars, labels=written, padding=3)
        axes.margins(x=0.14)
        label_lines(axes, labels)
        axes.set_xlabel(clean(axis))
        axes.grid(axis="x")
        pairs = ", ".join(f"{a} {b}" for a, b in zip(labels, written, strict=True))
        return inline(figure, f"{axis or 'Bars'}: {pairs}.")


def count_chart(
    edges: Sequence[float],
    seen: Sequence[float],
    expected: Sequence[float],
    *,
    axis: str = "",
    value: float | None = None,
    names: tuple[str, str] = ("seen", "expected"),
) -> Markup:
    """Counts in bins, as bars, beside the counts that are expected, in grey.

    Where only one value was seen (and `seen` is empty), it is a line.
    """
    same_length(edges[1:], {names[1]: expected} | ({names[0]: seen} if seen else {}))
    with drawing():
        figure, axes = new_axes(2.8)
        handles = {}
        if seen:
            handles[names[0]] = axes.stairs(seen, edges, color=SERIES[0], lw=1.6)
        if value is not None:
            handles[names[0]] = axes.axvline(value, color=SERIES[0], lw=2)
        handles[names[1]] = axes.stairs(expected, edges, fill=True, **GREY)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(clean(axis))
        axes.set_ylabel("how many")
        legend(figure, handles)
        words = "; ".join(
            f"from {number(edges[k])} to {number(edges[k + 1])}: "
            + (f"{names[0]} {seen[k]:,.6g}, " if seen else "")
            + f"{names[1]} {other:,.6g}"
            for k, other in enumerate(expected)
        )
        at = f" {names[0]}: {number(value)}." if value is not None else ""
        return inline(figure, f"{axis or 'Counts'}.{at} {words}.")
