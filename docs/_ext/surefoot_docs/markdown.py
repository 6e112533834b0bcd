"""Docstrings as Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence

_ROLE = re.compile(r":\w+(?::\w+)?:`~?([^`]+)`")
_ARXIV = re.compile(r"(?:arXiv )?\b(\d{4}\.\d{5})\b")


def paragraphs(thing: object) -> list[str]:
    """Paragraphs of a docstring, indented ones as they are."""
    return re.split(r"\n\s*\n", inspect.getdoc(thing) or "")


def prose(text: str) -> str:
    """A paragraph on one line: roles as code, arXiv numbers as links."""
    line = " ".join(text.split())
    line = _ROLE.sub(lambda found: f"`{found[1].split('.')[-1]}`", line)
    return _ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", line)


def document(thing: object) -> str:
    """A whole docstring without its `Args:` and the like; indented blocks become code."""
    found = []
    for text in paragraphs(thing):
        if re.match(r"(Args|Returns|Raises|Attributes|Yields):", text):
            break
        if re.match(r" {4}", text):
            found.append(f"```text\n{textwrap.dedent(text)}\n```")
        elif text.lstrip().startswith(("* ", "- ")):
            found.append(text)
        else:
            found.append(prose(text))
    return "\n\n".join(found)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells lose what would end them."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(' '.join(c.split()).replace('|', chr(92) + '|') for c in cells)} |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def code(value: object) -> str:
    """A value as code."""
    return f"`{value}`"
