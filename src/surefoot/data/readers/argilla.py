"""Argilla's exports: fields with the texts, and for each question the responses of its users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surefoot.data.labels.codings import higher
from surefoot.data.readers import Reader, Record, Row
from surefoot.data.readers.numbered import compared, pair_among, plain_name, voted
from surefoot.data.reading import fields
from surefoot.data.reading.contract import PROMPTS
from surefoot.errors import DataError

#: Endings of the columns of a question in exports of Argilla 2.
_RESPONSES = ".responses"
_SUBMITTED = ("submitted", None)


def _rows(record: Record) -> Iterator[Row]:
    sides = pair_among(frozenset(record))
    if sides is None:
        raise DataError("no two fields hold the responses (response1, response2, ...)")
    row = compared(record, sides)
    question = _question(record)
    votes = [
        {"annotator": user, "value": _chance(record, question, sides, value)}
        for user, value in _responses(record, question)
    ]
    yield voted(record, row, votes, f"nobody submitted an answer to {question!r}")


def _question(record: Record) -> str:
    """The column of the question that says which response is better."""
    filled = [name for name in record if _is_question(name, record.look(name))]
    stated = [name for name in filled if "prefer" in name or "rank" in name or "better" in name]
    if len(stated or filled) != 1:
        raise DataError(
            f"{len(filled)} questions are answered ({', '.join(filled) or 'none'}), and not one of "
            "them is named preference, ranking or better"
        )
    return (stated or filled)[0]


def _is_question(name: str, value: Any) -> bool:
    if name.endswith(_RESPONSES):
        return value is not None
    entries = value if isinstance(value, list) else []
    return any(isinstance(e, Mapping) and {"user_id", "value"} <= e.keys() for e in entries)


def _responses(record: Record, question: str) -> Iterator[tuple[str | None, Any]]:
    """Who submitted which answer."""
    if question.endswith(_RESPONSES):
        values = fields.listed(record.use(question, "votes"), question)
        users = record.use(f"{question}.users", "votes") or [None] * len(values)
        states = record.use(f"{question}.status", "votes") or ["submitted"] * len(values)
        entries = list(_together(question, values, users, states))
    else:
        given = fields.listed(record.inside(question, "votes"), question)
        entries = [(one.get("value"), one.get("user_id"), one.get("status")) for one in given]
    for value, user, status in entries:
        if status in _SUBMITTED and value is not None:
            yield fields.name_or_none(user, "user"), value


def _together(question: str, *columns: Any) -> Iterator[tuple[Any, ...]]:
    """The entries of lists that belong together, and so have one length."""
    lists = [fields.listed(column, question) for column in columns]
    if len(set(map(len, lists))) > 1:
        raise DataError(f"{question!r} holds lists of {', '.join(str(len(o)) for o in lists)}")
    yield from zip(*lists, strict=True)


def _chance(record: Record, question: str, sides: tuple[str, str], value: Any) -> float:
    """P(first preferred) that an answer says: a ranking of the fields, or one of them."""
    ranks = _ranks(question, value)
    if ranks is None:
        return record.preference(question, sides, value=value)
    plain = {plain_name(name): rank for name, rank in ranks.items()}
    first, second = (plain.get(plain_name(side)) for side in sides)
    if first is None or second is None:
        raise DataError(f"{question!r} ranks {', '.join(ranks)}, not {' and '.join(sides)}")
    return higher(second, first)


def _ranks(question: str, value: Any) -> dict[str, float] | None:
    """The rank of each field, from any of the ways in which rankings are exported."""
    if isinstance(value, Mapping) and {"rank", "value"} <= value.keys():
        ranks, names = value["rank"], value["value"]  # a list of mappings as a mapping of lists
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        ranks, names = [one.get("rank") for one in value], [one.get("value") for one in value]
    elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        ranks, names = list(range(1, len(value) + 1)), value  # in order, the best first
    else:
        return None
    together = _together(question, names, ranks)
    return {str(name): fields.number(rank, "rank") for name, rank in together}


def _recognises(columns: Any, sample: Any) -> bool:
    asked = any(_is_question(name, value) for record in sample for name, value in record.items())
    return bool(asked and pair_among(frozenset(columns)))


READER = Reader(
    name="Argilla records",
    accepts=(
        "a prompt, response1, response2 and the responses of users to a ranking or label question "
        "(preference, or preference.responses), as `to_datasets` exports them"
    ),
    columns=PROMPTS,
    recognises=_recognises,
    rows=_rows,
    example={
        "prompt": "p",
        "response1": "x",
        "response2": "y",
        "preference": [{"user_id": "u", "value": "response1", "status": "submitted"}],
    },
    rank=0,
)
