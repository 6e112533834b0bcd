"""TRL's forms: `chosen` and `rejected`, plain or messages, with the prompt given or implied."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.data import fields
from surefoot.data.dialogues import CONTEXT_DIFFERS, part, part_texts
from surefoot.data.readers import (
    CARRIED,
    PROMPTS,
    Reader,
    Record,
    Row,
    carried,
    first_of,
    get,
    messages,
    prompt_of,
)
from surefoot.data.text import Message
from surefoot.errors import DataError

_SCORES = {
    "score_a": ("chosen_score", "score_chosen", "chosen_rating", "score_a"),
    "score_b": ("rejected_score", "score_rejected", "rejected_rating", "score_b"),
}


def _rows(record: Record) -> Iterator[Row]:
    yield chosen_first(record, *_parted(record))


def chosen_first(
    record: Record,
    prompt: str | list[Message],
    chosen: str | list[Message],
    rejected: str | list[Message],
    note: str | None = None,
) -> Row:
    """A row whose first response is the chosen one, with the optional columns of the record."""
    row = {"prompt": prompt, "response_a": chosen, "response_b": rejected, "note": note}
    for side, names in _SCORES.items():
        name = first_of(record, names)
        row[side] = record[name] if name else None
    return {**_of_vrpo(record), **carried(record), **row, "label": 1.0, "label_from": "order"}


#: Columns of VRPO's published trainers (2504.03784): a reference pair and its preference.
_VRPO = ("a_1", "a_2", "a_1_preference", "a_2_preference")
_VRPO_PAIR = ("chosen_preference", "rejected_preference")


def _of_vrpo(record: Record) -> Row:
    """References and auxiliary probabilities, from the columns of VRPO's published trainers."""
    row: Row = {}
    if any(not fields.missing(record.get(name)) for name in _VRPO_PAIR):
        row["auxiliary"] = _preference(record, *_VRPO_PAIR)
    if any(not fields.missing(record.get(name)) for name in _VRPO[:2]):
        row["references"] = [messages(get(record, name), "assistant", name) for name in _VRPO[:2]]
        if any(not fields.missing(record.get(name)) for name in _VRPO[2:]):
            row["reference_auxiliary"] = [_preference(record, *_VRPO[2:])]
    return row


def _preference(record: Record, name: str, opposite: str) -> float:
    """P(first preferred), from it and its opposite: they have to sum to 1."""
    chance = fields.probability(get(record, name), name)
    if not fields.missing(record.get(opposite)):
        other = fields.probability(record[opposite], opposite)
        if abs(chance + other - 1) > 1e-4:
            raise DataError(f"{name!r} and {opposite!r} should sum to 1; got {chance} and {other}")
    return chance


def _parted(
    record: Record,
) -> tuple[str | list[Message], str | list[Message], str | list[Message], str | None]:
    chosen, rejected = get(record, "chosen"), get(record, "rejected")
    prompt_given = any(record.get(name) is not None for name in PROMPTS)
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise DataError("one of 'chosen' and 'rejected' is text and the other is not")
    if isinstance(chosen, str):
        if prompt_given:
            return prompt_of(record), chosen, rejected, None
        return *part_texts(chosen, rejected), None
    a = messages(chosen, "assistant", "chosen")
    b = messages(rejected, "assistant", "rejected")
    if not a or not b:
        raise DataError("'chosen' or 'rejected' has no messages")
    if not prompt_given:
        return part(a, b)
    prompt = prompt_of(record)
    given = messages(prompt, "user", "prompt")
    if a[0]["role"] == "assistant" and b[0]["role"] == "assistant":
        return given, a, b, None
    # The responses repeat the dialogue (as in UltraFeedback): the messages say more than `prompt`.
    parted = part(a, b)
    said = [turn["content"] for turn in parted.prompt]
    apart = parted.note or any(turn["content"] not in said for turn in given)
    return parted._replace(note=CONTEXT_DIFFERS if apart else None)


READER = Reader(
    name="chosen and rejected",
    accepts="chosen, rejected and (given or implied) prompt, each text or messages",
    columns=(
        *("prompt", "chosen", "rejected"),
        *sum(_SCORES.values(), ()),
        *_VRPO,
        *_VRPO_PAIR,
        *CARRIED,
    ),
    recognises=lambda columns, _: columns >= {"chosen", "rejected"},
    rows=_rows,
    rank=3,
)
