"""Content-blind rulers: what a model must beat before its accuracy means anything.

A ruler that prefers the longer answer wins whole subsets of public benchmarks
(allenai/reward-bench issues 267 and 268), so the rulers are measured on the same pairs.
"""

from __future__ import annotations

import re

import numpy as np

from surefoot.arrays import Floats
from surefoot.data.schema import Preferences

_MARKDOWN = re.compile(
    r"""^\s{0,3}\#{1,6}\s      # heading
      | ^[^\S\n]*(?:[-*+]|\d+[.)])\s  # list item
      | ^[^\S\n]*\|.*\|\s*$         # table row
      | ^[^\S\n]*(?:```|>\s)        # code fence, quotation
      | \*\*[^*\n]+\*\*        # bold
      | `[^`\n]+`              # inline code
      | \[[^\]\n]+\]\([^)\n]+\)  # link
    """,
    re.MULTILINE | re.VERBOSE,
)


def length(text: str) -> float:
    """Characters of a response."""
    return float(len(text))


def markdown(text: str) -> float:
    """Number of markdown marks in a response: headings, list items, bold, code, tables, links."""
    return float(sum(1 for _ in _MARKDOWN.finditer(text)))


def ruler_rewards(preferences: Preferences) -> dict[str, Floats]:
    """Rewards of every ruler, each of shape (N, 2), by name.

    Rulers: `longer` and `shorter` response, `more markdown`, `first position`.
    """
    lengths, marks = (
        np.array([[measure(text) for text in side] for side in preferences.texts("response")]).T
        for measure in (length, markdown)
    )
    return {
        "longer": lengths,
        "shorter": -lengths,
        "more markdown": marks,
        "first position": np.tile([1.0, 0.0], (len(preferences), 1)),
    }
