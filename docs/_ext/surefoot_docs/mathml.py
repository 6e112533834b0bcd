"""Equations as MathML, which browsers draw themselves: no script, no network, no dependency."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.errors import ExtensionError


def mathml(latex: str, block: bool = False) -> str:
    """An equation as MathML.

    Raises:
        ExtensionError: it cannot be read.
    """
    try:
        return tex2mathml(latex, as_block=block)
    except MathError as error:
        raise ExtensionError(f"cannot read the equation {latex!r}: {error}") from None


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    rows = "".join(f"<div>{mathml(row, block=True)}</div>" for row in node.astext().split("\n\n"))
    writer.body.append(f'<div class="equation">{rows}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Offer the renderer; `conf.py` chooses it."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
