"""Verdicts of a judge from columns of the data, and the judge that a file describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surefoot.arrays import Floats
from surefoot.boundary.yaml_texts import yaml_file
from surefoot.data import Preferences, read_preferences
from surefoot.data.schema import ABSENT
from surefoot.errors import ConfigurationError, DataError
from surefoot.escaping import excerpt

if TYPE_CHECKING:  # reading columns needs no judge
    from surefoot.judge import Judge

#: Columns that hold people's labels, in whose place the judge's is read.
_OF_PEOPLE = ("label", "votes")
#: How responses are called where the better one stands first, which no verdict may decide.
_ORDERED = {"response_a": "chosen", "response_b": "rejected"}


def verdicts_of(
    sources: Sequence[str],
    column: str,
    preferences: Preferences,
    options: Mapping[str, Any],
    no_prompt: bool = False,
) -> tuple[list[str], Floats]:
    """A judge's P(a preferred) of N comparisons that were read from the same sources.

    The column is read as a label is, with the coding of all of its values; `chosen` and `rejected`
    are then a and b.

    Args:
        sources: files, or hub data sets.
        column: of the verdicts.
        preferences: the comparisons, read with people's labels.
        options: of reading.
        no_prompt: the data have none.

    Returns:
        How the column was read, in lines, and the verdicts (N,), NaN where there is none.

    Raises:
        DataError: the column is not there, cannot be read, or gives no row a verdict.
    """
    given = dict(options.get("columns") or {})
    names = {name: theirs for name, theirs in given.items() if name not in _OF_PEOPLE}
    own = (options.get("codings") or {}).get(column)
    codings = {} if own is None else {"label": own}
    if any("votes" in one.used for one in preferences.readings):
        names["votes"] = ""
    forms = [names | {"label": column}]
    if any(one in (None, "order") for one in preferences.strings("label_from")):
        forms.append({**_ORDERED, **forms[0]})
    read = None
    for columns in forms:
        read = read_preferences(
            list(sources),
            **{**options, "columns": columns, "codings": codings},
            no_prompt=no_prompt,
            unlabelled=True,
        )
        if _is_read(read, column):
            break
    else:
        raise DataError(
            f"the column {column!r} holds no verdicts on these pairs: {_why(read, column)}."
        )
    assert read is not None
    lines = [f"judge: {line}" for one in read.readings for line in one.labels]
    return lines, _beside(read, preferences, column)


def _why(read: Preferences | None, column: str) -> str:
    """Why a column of verdicts was left out, as far as its reading says."""
    said = [line for one in read.readings for line in (*one.warnings, *one.notes)] if read else []
    left_out = next((line for line in said if "'label' was left out: " in line), "")
    if left_out:
        why = left_out.partition("left out: ")[2].rstrip(".")
        return why.replace("--coding 'label=", f"--coding '{column}=")
    return (
        "no row has a value there, or this form says itself which response is better; name the "
        "responses then (--column response_a=yours --column response_b=yours)"
    )


def _is_read(read: Preferences, column: str) -> bool:
    return any(one.used.get(column) == "label" for one in read.readings)


def _beside(read: Preferences, preferences: Preferences, column: str) -> Floats:
    """Verdicts at the place of each comparison, turned where its responses stand the other way."""
    places = zip(read.read("file", "row"), read.response_keys(), strict=True)
    verdicts, origins = read.labels, read.strings("label_from")
    found: dict[tuple[Any, ...], tuple[float, Any]] = {}
    for (place, keys), verdict, origin in zip(places, verdicts, origins, strict=True):
        if origin != ABSENT:
            found.setdefault((*place, frozenset(keys.tolist())), (float(verdict), keys[0]))
    values = np.full(len(preferences), np.nan)
    own = zip(preferences.read("file", "row"), preferences.response_keys(), strict=True)
    for row, (place, keys) in enumerate(own):
        known = found.get((*place, frozenset(keys.tolist())))
        if known is not None:
            values[row] = known[0] if known[1] == keys[0] else 1 - known[0]
    if np.isnan(values).all():
        raise DataError(f"the column {column!r} has no verdict on any of these pairs.")
    return values


def judge_in(path: Path) -> Judge:
    """The judge that a YAML file describes: its options, alone or as `auxiliary`.

    Raises:
        ConfigurationError: an unreadable file, or unknown options.
    """
    from surefoot.judge import Judge

    given = yaml_file(path, "the judge")
    if isinstance(given, dict) and isinstance(given.get("auxiliary"), dict):
        given = given["auxiliary"]  # of a configuration of surefoot sample
    if not isinstance(given, dict):
        raise ConfigurationError(f"{path} should hold options by name; got {excerpt(given)}.")
    options = dict(given)
    if options.pop("kind", "judge") != "judge":
        raise ConfigurationError(f"{path} describes no judge: its kind is {given['kind']!r}.")
    return Judge(**options)
