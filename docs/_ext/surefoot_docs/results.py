"""The rows of our own experiments that use a member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from surefoot.demo.methods import methods as demo_methods
from surefoot.objectives import Objective
from surefoot.worlds import TextWorld
from surefoot_docs.markdown import table

ROOT = Path(__file__).parents[3]

#: The members of the plain objective.
PLAIN = {member.kind for member in (Objective().loss, Objective().labels, Objective().risk)}


def measured(place: str, kind: str) -> str:
    """The rows of our own experiments that use a member, beside plain ones."""
    if kind in PLAIN:
        return "It is part of every row called *plain* on the pages of the other methods."
    using, plain = _experiments(place, kind)
    found = []
    for caption, head, rows in _results():
        kept = [row for row in rows if row[0] in using]
        if kept:
            base = [row for row in rows if row[0] in plain and row not in kept]
            found.append(f"{caption}\n\n{table(head, [*base, *kept])}")
    if not found:
        return "No experiment of ours uses it yet."
    return "\n\n".join(found) + "\n\nThe README says how these experiments were made."


def _experiments(place: str, kind: str) -> tuple[set[str], set[str]]:
    """Names of the rows that use a member, and of those with nothing but defaults."""
    named = {method.name: method.objective for method in demo_methods(TextWorld())}
    for path in sorted((ROOT / "experiments").glob("*.yaml")):
        for section in yaml.safe_load(path.read_text()).values():
            if isinstance(section, Mapping):
                named |= {
                    name: given.get("objective", {})
                    for name, given in section.items()
                    if isinstance(given, Mapping)
                }
    using = {name for name, given in named.items() if _kind(given.get(place)) == kind}
    return using, {name for name, given in named.items() if not given}


def _kind(given: Any) -> str | None:
    return given.get("kind") if isinstance(given, Mapping) else given


def _results() -> Iterator[tuple[str, Sequence[str], list[list[str]]]]:
    """Tables of `experiments/results/*.md`: the line above, the head, the rows."""
    for path in sorted((ROOT / "experiments" / "results").glob("*.md")):
        caption = (
            "The demo's world. Accuracy against the truth, except under *noisy labels*; the last "
            "column is the log-loss, where lower is better. ▲ better and ▼ worse than plain, where "
            "the interval of the paired difference leaves out 0."
        )
        for block in path.read_text(encoding="utf-8").split("\n\n"):
            lines = block.strip().splitlines()
            if lines and lines[0].startswith("|"):
                head, _, *rows = [[c.strip() for c in li.strip("|").split("|")] for li in lines]
                yield f"**`experiments/results/{path.name}`.** {caption}", head, rows
            else:
                caption = " ".join(lines)
