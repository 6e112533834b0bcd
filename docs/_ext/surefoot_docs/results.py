"""The rows of our own experiments that use a member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from surefoot.demo.methods import methods
from surefoot.demo.policies.methods import policy_methods
from surefoot.demo.policies.part import WORLD
from surefoot.objectives import Objective
from surefoot.worlds import TextWorld
from surefoot_docs.markdown import table

ROOT = Path(__file__).parents[3]
EXPERIMENTS = ROOT / "experiments"

#: The members of the plain objective.
PLAIN = {member.kind for member in (Objective().loss, Objective().labels, Objective().risk)}

#: Tables that stand alone in their file, and what is above them on the page.
_CAPTIONS = {
    "demo/results": (
        "The demo's world. Accuracy against the truth, except under *noisy labels*; the last "
        "column is the log-loss, where lower is better. ▲ better and ▼ worse, where the interval "
        "of the paired difference leaves out 0: to plain, of what is given the flip rate to plain "
        "calibrated for the flips."
    ),
    "demo/policies": (
        "Policies in the demo's world. The first columns are the implicit reward against the "
        "truth; *preferred response* is the change of its log-probability; the last three are of "
        "what the policy writes. ▲ and ▼ where the interval of the paired difference, to plain "
        "DPO, leaves out 0."
    ),
}

Objectives = Mapping[str, Mapping[str, Any]]
Found = tuple[str, Sequence[str], list[list[str]]]


def measured(place: str, kind: str) -> str:
    """The rows of our own experiments that use a member, beside plain ones."""
    if kind in PLAIN:
        return "It is part of every row called *plain* on the pages of the other methods."
    found = []
    for path in sorted(EXPERIMENTS.glob("*/*.md")):
        name = f"{path.parent.name}/{path.stem}"
        named = _objectives(name)
        using = {name for name, given in named.items() if kind in _kinds(given.get(place))}
        plain = {name for name, given in named.items() if not given}
        for caption, head, rows in _tables(path, _CAPTIONS.get(name, "")):
            if any(_name(row, named) in using for row in rows):
                kept = [row for row in rows if _name(row, named) in using | plain]
                found.append(f"**`{path.relative_to(ROOT)}`.** {caption}\n\n{table(head, kept)}")
    if not found:
        return "No experiment of ours uses it yet."
    return (
        "\n\n".join(found)
        + "\n\n[The demo](../demo.md) and [HH](../hh.md) say how these experiments were made."
    )


def _objectives(experiment: str) -> Objectives:
    """What the rows of an experiment train with, by their names."""
    if experiment == "demo/results":
        return {method.name: method.objective or {} for method in methods(TextWorld())}
    if experiment == "demo/policies":
        rows = policy_methods(WORLD)
        return {row.name: row.objective for row in rows if row.objective is not None}
    path = EXPERIMENTS / experiment.replace("/results", "/config.yaml")
    return dict(_nested(yaml.safe_load(path.read_text()))) if path.is_file() else {}


def _nested(section: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every named section of a configuration at any depth, with its objective."""
    for name, given in section.items():
        if isinstance(given, Mapping):
            objective = given.get("objective", {})
            yield str(name), objective if isinstance(objective, Mapping) else {}
            yield from _nested(given)


def _kinds(given: Any) -> set[str]:
    """The members that a slot is given: none, one, or (regularisers) several."""
    several = given if isinstance(given, list | tuple) else [given]
    return {one.get("kind", "") if isinstance(one, Mapping) else str(one) for one in several}


def _name(row: Sequence[str], named: Objectives) -> str | None:
    """The method of a row: its first or second cell, without what it is given."""
    return next((n for cell in row[:2] if (n := cell.partition(", given ")[0]) in named), None)


def _tables(path: Path, caption: str) -> Iterator[Found]:
    """Tables of a file of results: the block above, the head, the rows."""
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            cut = (line.strip().removeprefix("|").removesuffix("|") for line in lines)
            head, _, *rows = [[cell.strip() for cell in line.split("|")] for line in cut]
            yield caption, head, rows
        else:
            caption = " ".join(lines)
