"""Two numbered or lettered outputs and a label (LLMBar, PandaLM, judge data), or votes on them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from surefoot.data.labels.ballots import COUNTED, counted_votes, twins, twins_among, votes_of
from surefoot.data.labels.codings import higher
from surefoot.data.readers import Reader, Record, Row
from surefoot.data.reading import fields
from surefoot.data.reading.contract import AUTHORS, PROMPTS, prompt_of, response_of, written_by

#: Columns that say which response is preferred. The first of them that a row has is its label, so
#: that helpfulness comes before harmlessness where both were judged; the others are named.
LABELS = (
    *("label", "labels", "preference", "winner", "preferred", "verdict", "choice", "decision"),
    *("judgment", "judgement", "human_preference", "human_label", "selected", "selection"),
    *("better", "better_response", "better_response_id", "better_answer", "better_id"),
    *("preferred_response", "preferred_response_id", "preferred_index", "selected_index"),
    *("better_index", "best", "best_index", "winner_index", "chosen_index", "label_index"),
    *("overall_preference", "preference_strength", "safer_response_id"),
)
#: Labels with a coding of their own: HelpSteer3's strengths, negative where the first is better.
_USUAL = {"overall_preference": "negative-is-first"}
_STRENGTHS = "individual_preference"

#: How columns begin that say of either response how good it is; higher is better.
_SCORED = ("score", "rating", "reward")
_RANKED = ("rank",)  # 1 is the best
_STEMS = ("output", "response", "answer", "completion", "generation", "human_ref")
_ENDS = (("0", "1"), ("1", "2"), ("a", "b"))
_SIDES = ("response_a", "response_b")
_RESPONSE = re.compile(rf"(?:{'|'.join(_STEMS).replace('_', '')})(?:\d+|[a-h])")
_ANNOTATOR = re.compile(r"annotator_?\d+")


@functools.lru_cache(maxsize=256)
def pair_among(columns: frozenset[str]) -> tuple[str, str] | None:
    """The columns of the two responses among these: `response_a`, `output_1`, `answer0`, ..."""
    plain = _by_plain_name(columns)
    for stem in _STEMS:
        for first, second in _ENDS:
            found = [plain.get(f"{plain_name(stem)}{end}") for end in (first, second)]
            if found[0] is not None and found[1] is not None:
                return found[0], found[1]
    return None


def is_response(name: str) -> bool:
    """Whether a column is named like one of several responses: `response_3`, `answer c`."""
    return _RESPONSE.fullmatch(plain_name(name)) is not None


@functools.lru_cache(maxsize=256)
def label_among(columns: frozenset[str]) -> str | None:
    """The column of the label among these, in the order of :data:`LABELS`."""
    plain = _by_plain_name(columns)
    return next((plain[plain_name(name)] for name in LABELS if plain_name(name) in plain), None)


def plain_name(name: str) -> str:
    """A name without case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-]", "", name.casefold())


def _by_plain_name(columns: AbstractSet[str]) -> dict[str, str]:
    """Columns by what is left of their names; of `Label` and `label`, the one in small letters."""
    return {plain_name(name): name for name in sorted(map(str, columns))}


def _rows(record: Record) -> Iterator[Row]:
    columns = frozenset(record)
    yield judged(record, pair_among(columns) or _SIDES, label_among(columns))


def compared(record: Record, sides: tuple[str, str]) -> Row:
    """The prompt and the two responses in these columns, of a row to come."""
    row: Row = {"prompt": prompt_of(record)}
    row |= {side: response_of(record, name, side) for side, name in zip(_SIDES, sides, strict=True)}
    return row | written_by(record, record.author_columns(sides))


def voted(record: Record, row: Row, votes: list[dict[str, Any]], nobody: str = "") -> Row:
    """A row whose label is the mean of these votes; `nobody` says why there are none."""
    label = fields.mean_vote(votes) if votes else record.without(nobody)
    return {**row, "votes": votes or None, "label": label, "label_from": "votes"}


def judged(record: Record, sides: tuple[str, str], label: str | None) -> Row:
    """A row of two responses with what says which is preferred: a label, or votes, or scores.

    Raises:
        NoLabelError: there is none of them.
        DataError: a column is missing, or cannot be read.
    """
    row = compared(record, sides)
    scores = twins(record, sides, _SCORED)
    for side, name in zip(("score_a", "score_b"), scores or (), strict=False):
        row[side] = record.use(name, side)
    votes = _votes(record, sides, optional=label is not None)
    if label is None and votes:
        return voted(record, row, votes)
    numbers = scores or twins(record, sides, _RANKED)
    if label is None and numbers:
        a, b = (fields.number(record.use(name, "label"), name) for name in numbers)
        best = "the higher is better" if scores else "the lower is better"
        record.compares(" and ".join(numbers), f"{a:g} and {b:g}", best)
        chance = higher(a, b) if scores else higher(b, a)
        return {**row, "label": chance, "label_from": "scores"}
    label = label or "label"
    chance = record.preference(label, sides, usual=_USUAL.get(label, ""))
    return row | ({"votes": votes} if votes else {}) | {"label": chance, "label_from": "label"}


def _votes(record: Record, sides: tuple[str, str], optional: bool) -> list[dict[str, Any]]:
    """Votes in a list, counted, or in columns of annotators."""
    if record.given("votes"):
        usual = "first-is-1" if sides[0].endswith("1") else "probability"
        return votes_of(record, sides, usual, optional=optional)
    if record.given(_STRENGTHS):
        return votes_of(record, sides, "negative-is-first", _STRENGTHS, optional)
    if (counted := counted_votes(record, sides)) is not None:
        return counted
    votes = []
    for name in filter(_ANNOTATOR.fullmatch, record):
        if not record.given(name):
            continue
        chance = record.preference(
            name, sides, became="votes", usual="first-is-1", column="annotators", optional=optional
        )
        votes.append({"annotator": name, "value": chance})
    return votes


def _recognises(columns: AbstractSet[str], _: object) -> bool:
    names = frozenset(columns)
    pair = pair_among(names)
    if pair is None:
        return False
    votes = {"votes", _STRENGTHS} & names or any(map(_ANNOTATOR.fullmatch, names))
    counts = twins_among(names, pair, (*COUNTED, *_SCORED, *_RANKED))
    return bool(label_among(names) or votes or counts)


READER = Reader(
    name="two outputs",
    accepts=(
        "output_1, output_2 (or response_a, response_b, answer 0, answer 1, ...) with a prompt, "
        "and label, preference or winner, better_response_id, ..., or votes, votes_a and votes_b, "
        "or annotator1, annotator2, ..., or else score_1 and score_2 (higher is better) or rank_1 "
        "and rank_2 (1 is the best)"
    ),
    columns=(
        *PROMPTS,
        *(f"{stem}_{end}" for stem in _STEMS for ends in _ENDS for end in ends),
        *LABELS,
        *AUTHORS,
        *("score_a", "score_b", "votes_a", "votes_b", _STRENGTHS),
    ),
    recognises=_recognises,
    rows=_rows,
    example={"prompt": "p", "output_1": "x", "output_2": "y", "label": 2},
    rank=4,
)
