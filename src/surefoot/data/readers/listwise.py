"""Responses to one prompt in a list: with scores or ranks, or two and which of them is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import Any

from surefoot.data.labels.codings import higher
from surefoot.data.readers import Reader, Record, Row, get
from surefoot.data.readers.numbered import LABELS, label_among
from surefoot.data.reading import fields
from surefoot.data.reading.contract import PROMPTS, first_of, prompt_column, prompt_of, text_of
from surefoot.data.reading.record import ColumnError
from surefoot.errors import DataError

#: Where OpenAI's summaries from feedback hold what is summarised.
_INFO, _POSTS = "info", ("post", "article")
_UNSCORED = "responses have no score and are in no pair"

#: Columns that hold a list of responses.
RESPONSES = (
    *("responses", "completions", "answers", "candidates", "outputs", "generations"),
    "summaries",
)
_SCORES = ("scores", "score", "ratings", "rating", "rewards", "reward", "overall_score", "pm_score")
_RANKS = ("ranks", "rank")
#: Responses by their place, the best first. A column `ranking` may be either, and is asked about.
_ORDER = "order"
_EITHER = "ranking"


def _rows(record: Record) -> Iterator[Row]:
    name = first_of(record, RESPONSES) or "responses"
    get(record, name, "response_a, response_b")
    answers = fields.listed(record.inside(name), name)
    if len(answers) < 2:
        raise DataError(f"{name!r} has {len(answers)} response; a comparison needs two")
    texts = [text_of(response, name) for response in answers]
    scores, prompt = _scores(record, answers, name), _prompt(record)
    if scores is None:
        yield _labelled(record, name, texts) | {"prompt": prompt}
        return
    judged = [i for i, score in enumerate(scores) if score is not None]
    if len(judged) < 2:
        raise DataError(f"{len(judged)} of {len(answers)} {name!r} have a score or rank")
    if len(judged) < len(answers):
        record.remarks[_UNSCORED] += len(answers) - len(judged)
    for i, j in combinations(judged, 2):
        row = {"prompt": prompt, "response_a": texts[i], "response_b": texts[j]}
        if record.given("id"):
            row["id"] = f"{record['id']}:{i + 1}-{j + 1}"
        label = higher(scores[i] or 0.0, scores[j] or 0.0)
        row |= {"score_a": scores[i], "score_b": scores[j]}
        yield row | {"label": label, "label_from": "scores"}


def _labelled(record: Record, name: str, texts: list[Any]) -> Row:
    """A row of two responses, of which a column says which is better."""
    label = label_among(frozenset(record))
    if len(texts) != 2:
        lacks = f"no scores or ranks for {name!r}"
        many = f"{name!r} has {len(texts)} responses; one label compares two"
        raise DataError(many if label else lacks)
    sides = (f"{name} 0", f"{name} 1")  # places in lists are counted from 0
    chance = record.preference(label or "label", sides, claims=((texts[0],), (texts[1],)))
    row = {"response_a": texts[0], "response_b": texts[1]}
    return row | {"label": chance, "label_from": "label"}


def _prompt(record: Record) -> Any:
    beside = _INFO in record and not prompt_column(record)
    info = record.inside(_INFO, "prompt") if beside else None
    if isinstance(info, Record) and (name := first_of(info, _POSTS)):
        return info[name]
    return prompt_of(record)


def _scores(record: Record, answers: list[Any], name: str) -> list[float | None] | None:
    """How good each response is, higher is better, None where nothing says; None for no column."""
    ranked = "ranks, the lower is better"
    for names, sign, best in ((_SCORES, 1.0, "the higher is better"), (_RANKS, -1.0, ranked)):
        column = first_of(record, names)
        if column is not None:
            values = fields.listed(record.use(column, "label"), column)
        elif inner := [c for r in answers if isinstance(r, Mapping) and (c := first_of(r, names))]:
            column = inner[0]
            values = [r.get(column) if isinstance(r, Mapping) else None for r in answers]
        else:
            continue
        _require_count(values, column, answers, name)
        record.compares(column, values, best)
        return [
            None if fields.missing(v) else sign * fields.number(v, f"{column}[{i}]")
            for i, v in enumerate(values)
        ]
    column = first_of(record, (_ORDER, _EITHER))
    if column is None:
        return None
    places = _places(record.use(column, "label"), column, answers, name)
    ranks = [places.index(i) for i in range(len(answers))]
    if column == _EITHER and places != ranks:
        raise ColumnError(
            f"{_EITHER!r} holds {record.look(_EITHER)} in row {record.row}: the rank of each "
            f"response, or their places from the best to the worst? Say which: --column "
            f"ranks={_EITHER} or --column {_ORDER}={_EITHER}"
        )
    record.compares(column, places, f"the places of {name}, from 0, the best first")
    return [-float(rank) for rank in ranks]


def _places(value: Any, column: str, answers: list[Any], name: str) -> list[int]:
    """Places of responses, counted from 0, from a list of all of them that counts from 0 or 1."""
    numbers = [fields.number(v, column) for v in fields.listed(value, column)]
    _require_count(numbers, column, answers, name)
    first = int(min(numbers))
    if first not in (0, 1) or sorted(numbers) != list(range(first, first + len(answers))):
        raise DataError(f"{column!r} should hold each place once, from 0 or 1; got {value}")
    return [int(number) - first for number in numbers]


def _require_count(values: list[Any], column: str, answers: list[Any], name: str) -> None:
    if len(values) != len(answers):
        raise DataError(f"{len(values)} {column!r} for {len(answers)} {name!r}")


def _recognises(columns: AbstractSet[str], sample: Sequence[Mapping[str, Any]]) -> bool:
    if not columns & {*RESPONSES}:
        return False
    lists = (record.get(first_of(record, RESPONSES) or "") for record in sample)
    entries = (entry for one in lists if isinstance(one, list) for entry in one)
    return (
        bool(columns & {*_SCORES, *_RANKS, _ORDER, _EITHER})
        or label_among(frozenset(columns)) is not None
        or any(isinstance(e, Mapping) and e.keys() & {*_SCORES, *_RANKS} for e in entries)
    )


READER = Reader(
    name="responses in a list",
    accepts=(
        "prompt, responses (or completions, answers, ...) and scores (higher is better) or ranks "
        "(each response's rank, 1 is best) or order (places of the responses, the best first); or "
        "responses that are mappings with text and score; or two responses and label, choice, "
        "chosen_index, ... (which is better). A response without a score is left out"
    ),
    columns=(*PROMPTS, "responses", "scores", "ranks", _ORDER, *LABELS),
    recognises=_recognises,
    rows=_rows,
    example={"prompt": "p", "responses": ["x", "y"], "scores": [2, 1]},
    rank=5,
)
