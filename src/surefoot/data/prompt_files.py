"""Prompts alone, or those of comparisons."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from surefoot.data.files import OnError, read_preferences, require_columns
from surefoot.data.origins import Origin, origins_of
from surefoot.data.readers import readers
from surefoot.data.schema import Fault, Preferences, concatenate
from surefoot.data.text import to_messages
from surefoot.errors import DataError

#: Columns beside `prompt` that are taken.
_KEPT = ("id", "group", "source", "cluster")
_SAMPLE = 100


def read_prompts(
    places: Sequence[str],
    *,
    columns: Mapping[str, str] | None = None,
    on_error: OnError = "skip",
) -> tuple[Preferences, bool]:
    """Comparisons, or prompts alone as comparisons of empty responses; and whether they are alone.

    Args:
        places: files or hub data sets: of comparisons, or rows of `prompt`, beside which `id`,
            `group`, `source` and `cluster` are taken.
        columns: your column names by the contract's.
        on_error: skip rows that cannot be used (they are listed in `faults`), or fail at the first.

    Raises:
        DataError: nothing can be read, or some files hold comparisons and others prompts alone.
    """
    found = [
        _alone(origin, columns or {}, on_error) for place in places for origin in origins_of(place)
    ]
    alone = [one for one in found if one is not None]
    if not alone:
        return read_preferences(places, columns=columns or None, on_error=on_error), False
    if len(alone) < len(found):
        raise DataError(
            f"{', '.join(places)}: some hold comparisons and others prompts alone. Take files of "
            "one kind."
        )
    return (alone[0] if len(alone) == 1 else concatenate(alone, "prompts")), True


def _alone(origin: Origin, columns: Mapping[str, str], on_error: OnError) -> Preferences | None:
    """The prompts of a file without comparisons; None where it has some."""
    ours = {theirs: name for name, theirs in columns.items()}

    def named(record: Mapping[str, Any]) -> dict[str, Any]:
        return {ours.get(str(name), str(name)): value for name, value in record.items()}

    read = itertools.islice(origin.records(), _SAMPLE)
    given = [numbered.record for numbered in read if numbered.record]
    sample = [named(record) for record in given]
    names = {name for record in sample for name in record}
    if "prompt" not in names or any(reader.recognises(names, sample) for reader in readers()):
        return None
    require_columns(origin.place, columns, [str(name) for record in given for name in record])
    rows, faults = [], []
    for numbered in origin.records():
        record = named(numbered.record or {})
        if reason := _fault(record, numbered.reason):
            if on_error == "fail":
                raise DataError(f"{origin.place}, row {numbered.row}: {reason}.")
            faults.append(Fault(origin.place, numbered.row, reason))
            continue
        kept = {"source": origin.name}
        kept |= {name: record[name] for name in _KEPT if record.get(name) not in (None, "")}
        chat = record.get("conversational", not isinstance(record["prompt"], str))
        empty = {"response_a": "", "response_b": "", "label": 0.5}
        rows.append({"prompt": record["prompt"], "conversational": chat, **empty, **kept})
    if not rows:
        raise DataError(f"{origin.place} holds no prompt.")
    found = Preferences.from_rows(rows, origin.name)
    return replace(found, fingerprint=origin.digest, faults=tuple(faults))


def _fault(record: Mapping[str, Any], reason: str) -> str:
    """Why a record cannot be used; empty where it can."""
    if not record.get("prompt"):
        return reason or "the column 'prompt' is empty"
    try:
        to_messages(record["prompt"], "user")
    except DataError as error:
        return str(error).rstrip(".")
    return ""


def left_out(preferences: Preferences) -> str:
    """How many rows could not be read, and the first of them."""
    count, first = len(preferences.faults), preferences.faults[0]
    return (
        f"{preferences.name}: {count} row(s) could not be used and were left out, the first in "
        f"{first.file}, row {first.row}: {first.reason}."
    )
