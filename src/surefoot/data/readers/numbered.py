"""Two numbered outputs and a label (LLMBar, PandaLM, judge data), or several votes on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from surefoot.data import fields
from surefoot.data.fields import Coding
from surefoot.data.readers import (
    CARRIED,
    LABELS,
    PROMPTS,
    Reader,
    Record,
    Row,
    carried,
    first_of,
    get,
    prompt_of,
)
from surefoot.errors import DataError

_STEMS = ("output", "response", "answer", "completion")
_PAIRS = [(f"{stem}{sep}1", f"{stem}{sep}2") for stem in _STEMS for sep in ("_", "")]
_LETTERS = [(f"{stem}_a", f"{stem}_b") for stem in _STEMS]
_SCORES = {"score_a": ("score_a", "score_1", "score1"), "score_b": ("score_b", "score_2", "score2")}
_ANNOTATOR = re.compile(r"annotator_?\d+")


def _pair(columns: AbstractSet[str]) -> tuple[str, str] | None:
    return next((pair for pair in [*_PAIRS, *_LETTERS] if columns >= set(pair)), None)


def _rows(record: Record) -> Iterator[Row]:
    a, b = _pair(record.keys()) or _PAIRS[0]
    # Numbered outputs have numbered labels; lettered ones are under the contract: P(a preferred).
    coding: Coding = "position" if a.endswith("1") else "probability"
    row = carried(record) | {
        "prompt": prompt_of(record),
        "response_a": get(record, a),
        "response_b": get(record, b),
    }
    for side, names in _SCORES.items():
        name = first_of(record, names)
        row[side] = record[name] if name else None
    votes = _votes(record, coding)
    if votes:
        row["votes"] = votes
    name = first_of(record, LABELS)
    if name:
        label, origin = fields.preference(record[name], name, coding), "label"
    elif votes:
        label, origin = fields.mean_vote(votes), "votes"
    else:
        raise DataError(f"no value in {', '.join(LABELS)}, and no votes")
    yield {**row, "label": label, "label_from": origin}


def _votes(record: Record, coding: Coding) -> list[dict[str, object]]:
    if not fields.missing(record.get("votes")):
        return fields.votes(record["votes"], coding)
    columns = [name for name in record if _ANNOTATOR.fullmatch(name)]
    return [
        {"annotator": name, "value": fields.preference(record[name], name, "position")}
        for name in columns
        if not fields.missing(record[name])
    ]


def _recognises(columns: AbstractSet[str], _: object) -> bool:
    judged = columns & {*LABELS, "votes"} or any(_ANNOTATOR.fullmatch(name) for name in columns)
    return bool(_pair(columns) and judged and columns & set(PROMPTS))


READER = Reader(
    name="two outputs",
    accepts=(
        "output_1, output_2 (or response1, response2, ...) with input, instruction or prompt, and "
        "label or preference (1, 2, or 0 for a tie), or votes, or annotator1, annotator2, ..."
    ),
    columns=(*PROMPTS, *_PAIRS[0], *_LETTERS[1], *LABELS, "score_a", "score_b", *CARRIED),
    recognises=_recognises,
    rows=_rows,
    rank=4,
)
