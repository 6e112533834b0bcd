"""Preferences out: JSON lines under the data contract, which the readers take back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surefoot.data.schema import FEATURES, Preferences
from surefoot.data.text import Message, to_text, with_extra

_TEXTS = ("prompt", "response_a", "response_b")
_OURS = ("file", "row", "label_from", "note")  # about the reading, not about the comparison


def write_preferences(preferences: Preferences, path: str | Path) -> None:
    """Write one JSON object per row, without the columns that are null there; `.gz` is zipped.

    Plain text is written as such, so that no chat template applies to it when it is read again.
    """
    columns = [name for name in FEATURES if name not in _OURS]
    zipped = str(path).endswith(".gz")
    with gzip.open(path, "wt", 6, "utf-8") if zipped else Path(path).open("w", -1, "utf-8") as file:
        for row in preferences.read(*columns):
            named = zip(columns, row, strict=True)
            given = {name: value for name, value in named if value not in (None, [])}
            write = _turns if given.pop("conversational") else to_text
            given |= {name: write(given.get(name, [])) for name in _TEXTS}
            if "references" in given:
                given["references"] = list(map(_turns, given["references"]))
            file.write(json.dumps(given, ensure_ascii=False) + "\n")


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [with_extra(message) for message in messages]
