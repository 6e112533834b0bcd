"""Preferences out: JSON lines under the data contract, which the readers take back."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from surefoot.data.schema import FEATURES, ORDER, TURNS, Preferences
from surefoot.data.text import Message, to_text, with_extra
from surefoot.runs.atomic import appearing

_OURS = ("file", "row", "note")  # about the reading, not about the comparison


def write_preferences(preferences: Preferences, path: str | Path) -> None:
    """Write one JSON object per row, without the columns that are null there; `.gz` is zipped.

    Plain text is written as such, so that no chat template applies to it when it is read again. The
    file appears whole or not at all, and the same rows are the same bytes.
    """
    with appearing(Path(path)) as part, _opened(part) as file:
        for row in written_rows(preferences):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def written_rows(preferences: Preferences) -> Iterator[dict[str, Any]]:
    """Each row as it is written, JSON-ready."""
    columns = [name for name in FEATURES if name not in _OURS]
    for row in preferences.read(*columns):
        named = zip(columns, row, strict=True)
        given = {name: value for name, value in named if value not in (None, [])}
        given |= {one["name"]: one["value"] for one in given.pop("numbers", ())}
        if given.get("label_from") != ORDER:  # all else is seen in the columns again
            given.pop("label_from", None)
        write = _turns if given.pop("conversational") else to_text
        given |= {name: write(given.get(name, [])) for name in TURNS}
        if "references" in given:
            given["references"] = list(map(_turns, given["references"]))
        yield given


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    with path.open("wb") as raw, ExitStack() as stack:
        content: Any = raw
        if path.suffix == ".gz":  # no name and time of writing in it
            content = stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
        yield stack.enter_context(io.TextIOWrapper(content, encoding="utf-8"))


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [with_extra(message) for message in messages]
