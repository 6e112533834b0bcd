"""What `surefoot audit` hands over: what to train on, how, and what to compare it on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from surefoot.cli.console import out, say
from surefoot.cli.results import Content

if TYPE_CHECKING:
    from surefoot.auditing.cleaning import Cleaned
    from surefoot.auditing.remedy import Choice
    from surefoot.data.apart import Apart


def remedy_files(
    folder: Path, name: str, clean: Cleaned, apart: Apart, choice: Choice
) -> Mapping[str, Content]:
    """By name, the files that train and compare; none to train with where no row is sound."""
    from surefoot.auditing.configuration import CLEAN, HELD_OUT, configurations, next_commands
    from surefoot.escaping import json_document

    changes = (json_document(json.dumps(c, ensure_ascii=False)) for c in clean.changes())
    changed = {"changed.jsonl": "".join(f"{line}\n" for line in changes)}
    steps = next_commands(choice, folder, apart.held_out is not None)
    texts: Mapping[str, Content] = configurations(choice, name, steps)
    if not len(clean.kept):
        return {CLEAN: None, HELD_OUT: None, **dict.fromkeys(texts), **changed}
    return {CLEAN: apart.rest, HELD_OUT: apart.held_out, **texts, **changed}


def show_remedy(choice: Choice) -> None:
    """Print what to train, and what became of each remedy that was offered."""
    out.print(Text.assemble(("\nRemedy:", "bold"), f" {choice.sentence}"))
    for one in (*choice.taken, *choice.left):
        if not choice.untried:
            out.print(Text(f"    {one.remedy.name}: {one.sentence}"))


def say_steps(folder: Path, choice: Choice, apart: Apart) -> None:
    """Say which commands come next."""
    from surefoot.auditing.configuration import next_commands

    for line in next_commands(choice, folder, apart.held_out is not None):
        say(f"next: {line}")
