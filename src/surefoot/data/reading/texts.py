"""Comparisons that name their texts by ids, joined with the files that hold these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from surefoot.data.keys import digest_of
from surefoot.data.reading.fields import missing
from surefoot.data.sources.origins import Origin, origins_of
from surefoot.data.sources.tables import Numbered
from surefoot.errors import DataError

#: What may be an id, by the names of the contract.
_TEXTS = ("prompt", "response_a", "response_b", "chosen", "rejected")
#: The columns of a file of texts.
_ID, _TEXT = "id", "text"


def joined(origin: Origin, places: Sequence[str], columns: Mapping[str, str]) -> Origin:
    """An origin whose ids of prompts and responses are the texts that stand at these places.

    A column holds ids where the value of its first row is one; then every value has to be.

    Args:
        origin: of comparisons.
        places: files or hub data sets with the columns `id` and `text`.
        columns: the user's column for a name of the contract.

    Raises:
        DataError: a place has no such columns, or two texts of one id.
    """
    others = [other for place in places for other in origins_of(place)]
    texts = _texts_of(others)
    names = [columns.get(name, name) for name in _TEXTS]
    digest = digest_of(origin.digest, *(other.digest for other in others))

    def rows() -> Iterator[Numbered]:
        held: list[str] | None = None
        for numbered in origin.rows():
            if numbered.record is None:
                yield numbered
                continue
            if held is None:
                held = [name for name in names if _key(numbered.record.get(name)) in texts]
                if not held:
                    raise DataError(_no_id(origin.place, places, names, numbered.record, texts))
            yield _with_texts(numbered, numbered.record, held, texts)

    return replace(origin, digest=digest, rows=rows)


def _texts_of(origins: Sequence[Origin]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for origin in origins:
        for numbered in origin.rows():
            record = numbered.record
            if record is None or missing(record.get(_ID)) or not isinstance(record.get(_TEXT), str):
                found = numbered.reason if record is None else f"got {', '.join(map(str, record))}"
                raise DataError(
                    f"{origin.place}, row {numbered.row}: a file of texts has columns {_ID!r} and "
                    f"{_TEXT!r}, with a value in each row; {found}."
                )
            key = _key(record[_ID])
            if texts.setdefault(key, record[_TEXT]) != record[_TEXT]:
                raise DataError(f"{origin.place}, row {numbered.row}: another text has id {key!r}.")
    return texts


def _with_texts(
    numbered: Numbered, record: Mapping[str, Any], held: Sequence[str], texts: Mapping[str, str]
) -> Numbered:
    """A row whose ids are texts; one with an id of no text cannot be used."""
    found = {name: record[name] for name in held if not missing(record.get(name))}
    for name, value in found.items():
        if _key(value) not in texts:
            reason = f"{name!r} is {_key(value)!r}, and no text has that id"
            return Numbered(numbered.row, None, reason)
    return numbered._replace(record={**record, **{n: texts[_key(v)] for n, v in found.items()}})


def _key(value: object) -> str:
    """An id as text: 7 and 7.0, as tables write numbers beside empty cells, are `7`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _no_id(
    place: str,
    places: Sequence[str],
    names: Sequence[str],
    record: Mapping[str, Any],
    texts: Mapping[str, str],
) -> str:
    there = [f"{name!r} is {_key(record[name])[:40]!r}" for name in names if name in record]
    said = ", ".join(there) or f"its columns are {', '.join(map(str, record))}"
    some = ", ".join(repr(key) for key in list(texts)[:3])
    return (
        f"{place}: no prompt and no response in its first row is an id of {', '.join(places)} "
        f"(such as {some}): {said}. Say which of your columns hold them: --column response_a=yours "
        "--column response_b=yours."
    )
