"""Prompts alone: read from files, and the keys by which those that a model has seen are found."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surefoot.data.files import read_origin, read_preferences, reading_options
from surefoot.data.keys import key_of
from surefoot.data.options import ReadingOptions
from surefoot.data.readers import Reader, Record, Row, readers
from surefoot.data.reading.contract import PROMPTS, prompt_of
from surefoot.data.reading.conversion import Conversion
from surefoot.data.reading.recognition import renamed
from surefoot.data.schema import Preferences, concatenate
from surefoot.data.sources.origins import Origin, origins_of
from surefoot.errors import DataError

_SAMPLE = 100
_ANSWERED = "prompts end with a turn of the assistant's, after which another one is written"


def _rows(record: Record) -> Iterator[Row]:
    prompt = prompt_of(record)
    if not prompt:
        raise DataError("the column 'prompt' is empty")
    if not isinstance(prompt, str) and prompt[-1]["role"] == "assistant":
        record.remarks[_ANSWERED] += 1
    row = {"prompt": prompt, "response_a": "", "response_b": "", "label": 0.5}
    yield {**row, "conversational": record.get("conversational", not isinstance(prompt, str))}


#: Not among the readers of comparisons: it is taken where none of them recognises a file.
READER = Reader(
    name="prompts alone",
    accepts="prompt, text or messages",
    columns=("prompt",),
    recognises=lambda columns, _: bool(columns & set(PROMPTS)),
    rows=_rows,
    example={"prompt": "p"},
)


def read_prompts(places: Sequence[str], **reading: Any) -> tuple[Preferences, bool]:
    """Comparisons, or prompts alone as comparisons of empty responses; and whether they are alone.

    Args:
        places: files or hub data sets: of comparisons, or rows of `prompt`, beside which the
            optional columns of the contract are taken.
        reading: `columns`, `codings`, `on_error` and `max_unusable`, as
            :func:`surefoot.data.read_preferences` takes them.

    Raises:
        DataError: nothing can be read, or some files hold comparisons and others prompts alone.
    """
    options = reading_options(**reading)
    origins = [origin for place in places for origin in origins_of(place)]
    alone = [_is_alone(origin, options) for origin in origins]
    if not any(alone):
        return read_preferences(places, **reading), False
    if not all(alone):
        raise DataError(
            f"{', '.join(places)}: some hold comparisons and others prompts alone. Take files of "
            "one kind."
        )
    found = [read_origin(Conversion(origin, options, reader=READER)) for origin in origins]
    return (found[0] if len(found) == 1 else concatenate(found, "prompts")), True


def _is_alone(origin: Origin, options: ReadingOptions) -> bool:
    """Whether a file holds prompts and no comparisons."""
    read = itertools.islice(origin.records(), _SAMPLE)
    given: list[Mapping[str, Any]] = [one.record for one in read if one.record is not None]
    sample = renamed(given, options)
    names = {name for record in sample for name in record}
    known = any(reader.recognises(names, sample) for reader in readers())
    return READER.recognises(names, sample) and not known


def left_out(preferences: Preferences) -> str:
    """How many rows could not be read, and the first of them."""
    count, first = len(preferences.faults), preferences.faults[0]
    return (
        f"{preferences.name}: {count} row(s) could not be used and were left out, the first in "
        f"{first.file}, row {first.row}: {first.reason}."
    )


def training_prompt_keys(preferences: Preferences) -> set[int]:
    """Keys of all prompts, and of the first user turn of those that are dialogues.

    A test prompt that opens a longer training dialogue was seen too: of 129 chat prompts of
    RM-Bench, 22 are whole prompts of HH helpful, and 37 open one.
    """
    openings = set(preferences.opening_keys().tolist()) - {key_of("")}
    return openings | set(preferences.prompt_keys().tolist())
