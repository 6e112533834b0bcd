"""Several responses to one prompt with scores or ranks: every pair of them is a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import Any

from surefoot.data import fields
from surefoot.data.readers import CARRIED, Reader, Record, Row, first_of, get, prompt_of
from surefoot.errors import DataError

_RESPONSES = ("responses", "completions", "answers", "candidates", "outputs")
_TEXT = ("text", "response", "completion", "answer", "content", "output")
_SCORES = ("scores", "score", "ratings", "rating", "rewards", "reward")
_RANKS = ("ranks", "rank", "ranking")


def _rows(record: Record) -> Iterator[Row]:
    name = first_of(record, _RESPONSES) or "responses"
    get(record, name, "response_a, response_b")
    given = fields.listed(record.inside(name), name)
    if len(given) < 2:
        raise DataError(f"{name!r} has {len(given)} response; a comparison needs two")
    scores = _scores(record, given, name)
    texts = [_text(response, name) for response in given]
    prompt = prompt_of(record)
    for i, j in combinations(range(len(given)), 2):
        row = {"prompt": prompt, "response_a": texts[i], "response_b": texts[j]}
        if record.given("id"):
            row["id"] = f"{record['id']}:{i + 1}-{j + 1}"
        label = 0.5 if scores[i] == scores[j] else float(scores[i] > scores[j])
        yield {
            **row,
            **{"label": label, "label_from": "scores"},
            **{"score_a": scores[i], "score_b": scores[j]},
        }


def _text(response: Any, name: str) -> Any:
    """The response in an entry: text, messages, or a mapping that also holds its score."""
    if isinstance(response, Mapping) and "role" not in response:
        field = first_of(response, _TEXT)
        if field is None:
            raise DataError(f"an entry of {name!r} has none of {', '.join(_TEXT)}")
        return response[field]
    return response


def _scores(record: Record, given: list[Any], name: str) -> list[float]:
    """One number per response, higher is better; a rank counts down from 1, the best."""
    for names, sign in ((_SCORES, 1.0), (_RANKS, -1.0)):
        column = first_of(record, names)
        if column is not None:
            values = fields.listed(record.use(column, "label"), column)
        elif all(isinstance(r, Mapping) and first_of(r, names) for r in given):
            column = first_of(given[0], names) or ""
            values = [r.get(column) for r in given]
        else:
            continue
        if len(values) != len(given):
            raise DataError(f"{len(values)} {column!r} for {len(given)} {name!r}")
        return [sign * fields.number(v, f"{column}[{i}]") for i, v in enumerate(values)]
    raise DataError(f"no scores or ranks for {name!r}")


def _recognises(columns: AbstractSet[str], sample: object) -> bool:
    return bool(columns & set(_RESPONSES)) and (
        bool(columns & {*_SCORES, *_RANKS}) or _scored_entries(sample)
    )


def _scored_entries(sample: Any) -> bool:
    for record in sample:
        name = first_of(record, _RESPONSES)
        entries = record[name] if name else None
        if isinstance(entries, list) and entries and isinstance(entries[0], Mapping):
            return bool(entries[0].keys() & {*_SCORES, *_RANKS})
    return False


READER = Reader(
    name="scored or ranked responses",
    accepts=(
        "prompt, responses (or completions, answers, ...) and scores (higher is better) or ranks "
        "(each response's rank, 1 is best); or responses that are mappings with text and score"
    ),
    columns=("prompt", "responses", "scores", "ranks", *CARRIED),
    recognises=_recognises,
    rows=_rows,
    example={"prompt": "p", "responses": ["x", "y"], "scores": [2, 1]},
    rank=5,
)
