"""Configurations of training, with the reason beside each line: what an audit ends in."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from surefoot.auditing.remedy import Choice
from surefoot.escaping import one_line

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
    return {
        "remedy.yaml": _text(choice.options, REMEDY, head, dict(_reasons(choice)), _left(choice)),
        "plain.yaml": _text({}, PLAIN, [f"Plain training on {name}, to compare with."], {}, []),
    }


def _text(
    options: Mapping[str, Mapping[str, Any]],
    output: str,
    head: list[str],
    reasons: Mapping[tuple[str, str], str],
    left: list[str],
) -> str:
    lines = [*_comment(head), "schema_version: 1"]
    sections: dict[str, Mapping[str, Any]] = {"data": {}, "scorer": {}} | dict(options)
    sections["scorer"] = {"kind": "embedding", **sections["scorer"]}
    for section, given in sections.items():
        lines.append(f"{section}:")
        if section == "data":
            lines.append(f"  train: [{CLEAN}]  # beside this")
        for option, value in given.items():
            if (section, option) in reasons:
                lines += _comment([reasons[section, option]], "  ")
            text = yaml.safe_dump({option: value}, sort_keys=False)
            lines += [f"  {line}" for line in text.splitlines()]
    lines.append(f"output: {output}")
    return "\n".join([*lines, *_comment(left)]) + "\n"


def _reasons(choice: Choice) -> Iterator[tuple[tuple[str, str], str]]:
    """By section and option, what it answers and how the trial went."""
    for one in choice.taken:
        found = " ".join(f"{d.name}: {d.sentence}" for d in one.remedy.answers)
        for section, given in one.remedy.options.items():
            for option in given:
                yield (section, option), f"{found} {one.sentence.capitalize()}"


def _left(choice: Choice) -> list[str]:
    """What was offered and not taken, as it would be written."""
    lines = []
    for one in choice.left:
        options = {section: dict(given) for section, given in one.remedy.options.items()}
        text = yaml.safe_dump(options, default_flow_style=True, sort_keys=False, width=10**6)
        lines.append(f"Offered for {one.remedy.name}: {text.strip()}; {one.sentence}")
    return lines


def _comment(paragraphs: list[str], indent: str = "") -> list[str]:
    """Lines that YAML does not read, whatever stands in them."""
    return [
        f"{indent}# {line}"
        for paragraph in paragraphs
        for line in textwrap.wrap(one_line(paragraph), 96 - len(indent), break_on_hyphens=False)
    ]
