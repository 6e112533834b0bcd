"""Label Studio's export of tasks: `data` with the texts, and `annotations` with who chose what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surefoot.data.readers import Reader, Record, Row
from surefoot.data.readers.numbered import compared, pair_among, voted
from surefoot.data.reading import fields
from surefoot.errors import DataError

#: How the answer stands in the result of a control, by the control's type.
_ANSWERS = {"pairwise": "selected", "choices": "choices"}
_TEXTS = (("text1", "text2"), ("text_1", "text_2"))
_OTHERWISE = "; export as JSON-MIN or CSV instead, and map the columns with --column"


def _rows(record: Record) -> Iterator[Row]:
    data = record.inside("data")
    if not isinstance(data, Record):
        raise DataError("'data' should be a mapping with the texts of the task")
    texts = (pair for pair in _TEXTS if data.keys() >= {*pair})  # of the template for pairs
    sides = pair_among(frozenset(data)) or next(texts, None)
    if sides is None:
        raise DataError(
            f"'data' holds {', '.join(map(str, data))}, of which no two are the responses "
            f"(answer1, answer2, text1, text2, ...){_OTHERWISE}"
        )
    row = compared(data, sides) | {"id": record.get("id")}
    claims = (row["response_a"],), (row["response_b"],)
    votes = []
    for who, answer in _answers(record):
        chance = record.preference("annotations", sides, value=answer, claims=claims)
        votes.append({"annotator": who, "value": chance})
    yield voted(record, row, votes, "no annotation was submitted")


def _answers(record: Record) -> Iterator[tuple[str | None, str]]:
    """Who chose what, without annotations that were cancelled."""
    for entry in fields.listed(record.inside("annotations", "votes"), "annotations"):
        if not isinstance(entry, Record) or entry.get("was_cancelled"):
            continue
        results = [r for r in fields.listed(entry.inside("result") or [], "result") if _answer(r)]
        pairwise = [r for r in results if r["type"] == "pairwise"]
        controls = {str(r.get("from_name")) for r in pairwise or results}
        if len(controls) > 1:
            named = ", ".join(sorted(controls))
            raise DataError(f"several controls were answered ({named}){_OTHERWISE}")
        for result in pairwise or results:
            who = entry.inside("completed_by")
            who = who.get("id", who.get("email")) if isinstance(who, Mapping) else who
            yield fields.name_or_none(who, "completed_by"), str(_answer(result))


def _answer(result: Any) -> str | None:
    """What one control says, where it is one choice."""
    if not isinstance(result, Record) or not isinstance(result.look("value"), Mapping):
        return None
    answer = result.inside("value").get(_ANSWERS.get(str(result.get("type")), ""))
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    return answer if isinstance(answer, str) else None


def _recognises(columns: Any, sample: Any) -> bool:
    return columns >= {"data", "annotations"} and isinstance(sample[0].get("data"), Mapping)


READER = Reader(
    name="Label Studio tasks",
    accepts=(
        "data (a mapping with the prompt and answer1, answer2, or text1, text2) and annotations of "
        "a pairwise or a choices control; its JSON-MIN and CSV exports are read as two outputs"
    ),
    columns=("data", "annotations"),
    recognises=_recognises,
    rows=_rows,
    example={
        "data": {"prompt": "p", "answer1": "x", "answer2": "y"},
        "annotations": [
            {"completed_by": 7, "result": [{"type": "pairwise", "value": {"selected": "left"}}]}
        ],
    },
    rank=0,
)
