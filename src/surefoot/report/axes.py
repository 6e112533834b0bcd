"""What pictures share: axes, one line for each label, a legend, and the figures in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surefoot.errors import ConfigurationError
from surefoot.report.svg import MARKERS, RULE, SERIES, clean
from surefoot.report.words import interval
from surefoot.statistics import Estimate

_WIDTH = 5.0  # inches
LONGEST = 32  # characters of a label

Labelled = Mapping[str, Sequence[Estimate | None]]
#: Ends of what does not matter; None where it goes on.
Band = tuple[float | None, float | None]
NO_BAND: Band = (None, None)
#: What does not matter, or is expected.
GREY: dict[str, Any] = {"color": RULE, "alpha": 0.3, "lw": 0, "zorder": 0}


def new_axes(height: float) -> tuple[Any, Any]:
    """A figure so many inches high, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    return figure, figure.add_subplot()


def grey_band(axes: Any, band: Band) -> None:
    """What does not matter, from top to bottom; last, as it takes the room that others need."""
    if band == NO_BAND:
        return
    known = [end for end in band if end is not None]
    reach = [*axes.get_xlim(), *known]
    edge = 0.04 * (max(reach) - min(reach))
    least, most = min(reach) - edge, max(reach) + edge
    axes.axvspan(
        least if band[0] is None else band[0], most if band[1] is None else band[1], **GREY
    )
    axes.set_xlim(least, most)


def looks(series: Mapping[str, object]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each name with the colour and the marker of its series."""
    for place, name in enumerate(series):
        k = place % len(SERIES)
        yield name, {"color": SERIES[k], "marker": MARKERS[k], "markersize": 5.5}


def label_lines(axes: Any, labels: Sequence[str]) -> None:
    """One line for each label, the first at the top."""
    axes.set_yticks(range(len(labels)), [clean(label, LONGEST) for label in labels])
    axes.set_ylim(max(len(labels), 1) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(RULE)


def legend(figure: Any, handles: Mapping[str, Any]) -> None:
    """A legend above the picture, where there is more than one series.

    The names are put in afterwards: matplotlib leaves out those that begin with an underscore.
    """
    if len(handles) < 2:
        return
    stand_ins = [str(place) for place in range(len(handles))]
    names = [clean(name, LONGEST) for name in handles]
    box = figure.legend(
        list(handles.values()),
        stand_ins,
        loc="outside upper left",
        ncols=3 if max(map(len, names)) <= 18 else 1,
        handletextpad=0.4,
    )
    for text, name in zip(box.get_texts(), names, strict=True):
        text.set_text(name)


def spoken(axis: str, labels: Sequence[str], series: Labelled) -> str:
    """All figures of a picture, for those who do not see it."""
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


def same_length(labels: Sequence[object], series: Mapping[str, Sequence[object]]) -> None:
    """Raise a ConfigurationError where a series has not one value for each label."""
    for name, values in series.items():
        if len(values) != len(labels):
            raise ConfigurationError(f"{name!r} has {len(values)} values for {len(labels)} labels.")
