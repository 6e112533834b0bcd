"""Configurations of training, with the reason beside each line: what an audit ends in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surefoot.auditing.remedy import Choice, Options
from surefoot.training.commented import Draft, Offer

#: Files that the configurations name, and where their runs go.
CLEAN, HELD_OUT = "clean.jsonl", "held-out.jsonl"
REMEDY, PLAIN = "runs/remedy", "runs/plain"


def next_commands(choice: Choice, folder: Path, held_out: bool) -> list[str]:
    """What to type after an audit whose files lie in a folder: train, and compare if there is what.

    Args:
        choice: what the audit came to.
        folder: of the files.
        held_out: whether pairs were set apart to compare on.
    """
    if not choice.taken:
        return [shlex.join(["surefoot", "train", str(folder / "plain.yaml")])]
    files = [str(folder / name) for name in ("remedy.yaml", "plain.yaml")]
    lines = [["surefoot", "train", one] for one in files]
    if held_out:
        compared = str(folder / HELD_OUT)
        lines.append(["surefoot", "evaluate", REMEDY, compared, "--baseline", PLAIN])
    return [shlex.join(line) for line in lines]


def configurations(choice: Choice, name: str, steps: list[str]) -> dict[str, str]:
    """`remedy.yaml` and `plain.yaml`, by name, which train as they are.

    Args:
        choice: what the audit came to.
        name: of the data that were audited.
        steps: what to type next.
    """
    head = [f"Of the audit of {name}.", choice.sentence]
    if choice.taken:
        head += ["Next:", *steps]
    else:
        head.append("So this is plain.yaml under another name.")
    plain = [f"Plain training on {name}, to compare with."]
    remedy = Draft(_complete(choice.options), REMEDY, head, dict(_reasons(choice)), _left(choice))
    return {
        "remedy.yaml": remedy.text,
        "plain.yaml": Draft(_complete({}), PLAIN, plain, dict(_reasons(Choice()))).text,
    }


def _complete(options: Options) -> dict[str, dict[str, Any]]:
    """Options of a configuration, with what all have beside them."""
    sections: dict[str, dict[str, Any]] = {
        "data": {"train": [CLEAN]},
        "scorer": {"kind": "embedding"},
        "objective": {"loss": "logistic"},
    }
    for section, given in options.items():
        sections[section] = sections.get(section, {}) | dict(given)
    return sections


def _reasons(choice: Choice) -> Iterator[tuple[tuple[str, str], str]]:
    """By section and option, what it answers and how the trial went."""
    yield ("data", "train"), "The rows without damage, beside this file."
    for one in choice.taken:
        found = " ".join(f"{d.name}: {d.sentence}" for d in one.remedy.answers)
        for section, given in one.remedy.options.items():
            for option in given:
                yield (section, option), f"{found} {one.sentence.capitalize()}"


def _left(choice: Choice) -> list[Offer]:
    """What was offered and not taken, as it would be written."""
    return [
        Offer(section, given, f"Offered for {one.remedy.name}; {one.sentence.removesuffix('.')}")
        for one in choice.left
        for section, given in one.remedy.options.items()
    ]
