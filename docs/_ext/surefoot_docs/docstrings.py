"""Docstrings as this project writes them, made into what Sphinx reads.

`name` is code; `|m|` is an absolute value; an indented block after a colon is a table of figures as
it was printed; the text below an option is a sentence, colons and all.
"""

from __future__ import annotations

import re
from typing import Any

_CODE = re.compile(r"(?<![`:\w])`([^`\n]+)`(?!`)")
_TWO_NAMES = re.compile(r"^( {4}\w+)((?:, \w+)+):(?= |$)")  # in a section: `low, high: ...`
_MATH = re.compile(r"(?<!\\)\|")

#: Texts of attributes, which napoleon would split at their first colon.
_attributes: dict[str, list[str]] = {}


def adapted(lines: list[str]) -> list[str]:
    """The lines of a docstring in reStructuredText."""
    found = []
    inside = False  # a literal block
    for place, line in enumerate(lines):
        inside = inside and (not line.strip() or line.startswith("    "))
        if not inside:
            line = _TWO_NAMES.sub(lambda m: m[1] + m[2].replace(", ", "/") + ":", line)
            line = _MATH.sub(r"\\|", _CODE.sub(r"``\1``", line))
            following = [*lines, "", ""][place + 1 : place + 3]
            if line.endswith(":") and not following[0].strip() and following[1].startswith("    "):
                line, inside = f"{line}:", True
        found.append(line)
    return found


def before(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Ahead of napoleon."""
    lines[:] = adapted(lines)
    if what == "attribute":
        _attributes[name] = list(lines)


def after(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Behind napoleon."""
    if what == "attribute":
        lines[:] = _attributes.pop(name, lines)


def setup(app: Any) -> None:
    """Join the build on both sides of napoleon."""
    app.connect("autodoc-process-docstring", before, priority=400)
    app.connect("autodoc-process-docstring", after, priority=600)
