"""Matplotlib figures as SVG inside a page: themed by its CSS, without state or dates."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from markupsafe import Markup, escape

from surefoot.escaping import visible

#: Stand-ins while drawing, and the CSS that takes their place: pages are light or dark.
TEXT, RULE, PAPER = "#010101", "#020202", "#030303"
SERIES = tuple(f"#0401{place:02x}" for place in range(1, 7))
_COLOURS = ("#0063a6", "#c04f00", "#007a5a", "#a34f87", "#8a6a00", "#4c6a7d")
_CSS = {TEXT: "currentColor", RULE: "var(--rule, #999)", PAPER: "var(--paper, #fff)"} | {
    SERIES[k]: f"var(--series-{k + 1}, {colour})" for k, colour in enumerate(_COLOURS)
}
#: One marker for each series: pictures are read without colours too.
MARKERS = "osD^vX"

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "surefoot",
    "text.parse_math": False,  # a dollar in a group's name is a dollar
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],  # wider than the page's font, so that nothing is cut
    "font.size": 9.0,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "grid.color": RULE,
    "grid.alpha": 0.35,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "axes.unicode_minus": True,
    "figure.constrained_layout.use": True,
}
_TAG = re.compile(r"<[^>]*>")  # text and attributes hold no bare < or >
_STAND_IN = re.compile("|".join(_CSS))
_REFERENCE = re.compile(r'(\bid="|url\(#|xlink:href="#)')


@contextmanager
def drawing() -> Iterator[None]:
    """The settings under which pictures are drawn; matplotlib's own are left as they were."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        # The page's font has the letters that this one lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def inline(figure: Any, description: str) -> Markup:
    """The SVG element of a `matplotlib.figure.Figure` made inside :func:`drawing`.

    The description says what it shows to those who do not see it.
    """
    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", metadata=nothing)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    digest = hashlib.blake2b(svg.encode(), digest_size=4).hexdigest()
    svg = _TAG.sub(lambda tag: _adapted(tag[0], f"c{digest}-"), svg)
    svg = re.sub(r">\s+<", "><", svg)
    label = escape(clean(description))
    return Markup(svg.replace("<svg ", f'<svg class="chart" role="img" aria-label="{label}" ', 1))


def _adapted(tag: str, prefix: str) -> str:
    tag = " ".join(tag.split())
    if tag.startswith("<g "):
        tag = re.sub(r' id="[^"]*"', "", tag)  # names of artists, the same in every picture
    tag = re.sub(r"font-family: [^;\"]*;? ?", "", tag)
    tag = _REFERENCE.sub(rf"\g<1>{prefix}", tag)
    return _STAND_IN.sub(lambda found: _CSS[found[0]], tag)


def clean(text: str, longest: int = 0) -> str:
    """Text on one line that hides nothing, cut at a number of characters if one is given."""
    line = " ".join(visible(" ".join(text.split())).split())
    return line if not longest or len(line) <= longest else line[: longest - 1] + "…"
