"""Two responses in a list and which of them is better (as in OpenAI's summaries from feedback)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from surefoot.data import fields
from surefoot.data.contract import has_prompt
from surefoot.data.readers import (
    CARRIED,
    PROMPTS,
    Reader,
    Record,
    Row,
    first_of,
    get,
    prompt_of,
    text_of,
)
from surefoot.data.readers.listwise import RESPONSES
from surefoot.data.readers.numbered import LABELS, label_among
from surefoot.errors import DataError

#: Where OpenAI's summaries hold what is summarised.
_INFO, _POSTS = "info", ("post", "article")


def _rows(record: Record) -> Iterator[Row]:
    name = first_of(record, RESPONSES) or RESPONSES[0]
    get(record, name, "response_a, response_b")
    given = fields.listed(record.inside(name), name)
    if len(given) != 2:
        raise DataError(f"{name!r} has {len(given)} responses; one label compares two")
    a, b = (text_of(response, name) for response in given)
    label = label_among(frozenset(record)) or "label"
    record.account.became[label] = "label"
    sides = (f"{name} 0", f"{name} 1")  # places in lists are counted from 0
    chance = record.preference(label, sides, claims=((a,), (b,)))
    row = {"prompt": _prompt(record), "response_a": a, "response_b": b}
    yield row | {"label": chance, "label_from": "label"}


def _prompt(record: Record) -> Any:
    info = record.inside(_INFO, "prompt") if not has_prompt(record) and _INFO in record else None
    if isinstance(info, Record) and (name := first_of(info, _POSTS)):
        return info[name]
    return prompt_of(record)


def _recognises(columns: AbstractSet[str], _: Sequence[Any]) -> bool:
    return bool(columns & set(RESPONSES)) and label_among(frozenset(columns)) is not None


READER = Reader(
    name="two responses in a list",
    accepts=(
        "prompt, responses (or summaries, completions, answers, ...: lists of two) and label, "
        "choice, chosen_index, ... (which of them is better)"
    ),
    columns=(*PROMPTS, "responses", *LABELS, *CARRIED),
    recognises=_recognises,
    rows=_rows,
    example={"prompt": "p", "responses": ["x", "y"], "chosen_index": 0},
    rank=6,
)
