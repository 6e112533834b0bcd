"""TRL's forms: `chosen` and `rejected`, plain or messages, with the prompt given or implied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from surefoot.data.labels.codings import as_number, said_by
from surefoot.data.readers import Reader, Record, Row, get
from surefoot.data.readers.numbered import pair_among
from surefoot.data.reading import fields
from surefoot.data.reading.contract import (
    PROMPTS,
    first_of,
    is_dialogue,
    prompt_column,
    prompt_of,
    response_of,
    written_by,
)
from surefoot.data.reading.dialogues import CONTEXT_DIFFERS, Parted, part, part_texts
from surefoot.data.reading.record import ColumnError
from surefoot.data.schema import ORDER
from surefoot.data.text import Message, messages
from surefoot.errors import DataError

#: A dialogue with the better answer at its end, and the other answer (ms-swift).
_OTHER_END = ("messages", "rejected_response")
#: Names of the two columns, the first that a row has.
PAIRS = (
    ("chosen", "rejected"),
    ("chosen_messages", "rejected_messages"),
    ("chosen_response", "rejected_response"),
    ("chosen_conversation", "rejected_conversation"),
    ("preferred_output", "non_preferred_output"),
    ("preferred_completion", "non_preferred_completion"),
    ("response", "rejected_response"),
    ("messages", "rejected_messages"),
    _OTHER_END,
)
_KINDS = ("score", "rating", "reward", "avg_rating")
_SCORES = {
    who: (
        *(form.format(who, kind) for form in ("{0}_{1}", "{1}_{0}", "{0}-{1}") for kind in _KINDS),
        side,
    )
    for who, side in (("chosen", "score_a"), ("rejected", "score_b"))
}

#: Columns of what wrote the two.
_MODELS = (
    ("chosen_model", "rejected_model"),
    ("chosen-model", "rejected-model"),
    ("model_chosen", "model_rejected"),
)

_OTHER_PROMPT = "rows have a prompt that is not in their dialogues, and the dialogues were taken"

Turns = str | list[Message]
_SHAREGPT = "conversations"
_LISTS = "rows have responses that look like lists of texts, and were read as the text they are"


def _rows(record: Record) -> Iterator[Row]:
    names = next((pair for pair in PAIRS if record.keys() >= {*pair}), PAIRS[0])
    sides = [response_of(record, n, f"response_{s}") for n, s in zip(names, "ab", strict=True)]
    if names == _OTHER_END:
        sides = _two_ends(*sides)
    _require_texts(record, names[0], sides[0])
    several = any(map(_several_texts, sides))
    chosen, rejected = (side if _several_texts(side) else [side] for side in sides)
    for (i, a), (j, b) in product(enumerate(chosen, 1), enumerate(rejected, 1)):
        row = chosen_first(record, *_parted(record, a, b, names))
        if several and record.given("id"):
            row["id"] = f"{record['id']}:{i}-{j}"
        yield row


def _two_ends(dialogue: Any, other: Any) -> list[list[Message]]:
    """A dialogue, and the same with another answer at its end."""
    turns = messages(dialogue, "user", _OTHER_END[0])
    if not turns or turns[-1]["role"] != "assistant":
        raise DataError(
            f"{_OTHER_END[0]!r} should end with the answer that is better than {_OTHER_END[1]!r}"
        )
    return [turns, [*turns[:-1], *messages(other, "assistant", _OTHER_END[1])]]


def _require_texts(record: Record, name: str, chosen: Any) -> None:
    """Refuse names of responses (`A`, `response_1`, a model) that stand in other columns."""
    pair = pair_among(frozenset(record))
    if pair is None or record.look(pair[0]) is None or record.look(pair[1]) is None:
        return
    if chosen in (record.look(pair[0]), record.look(pair[1])):
        return
    number = isinstance(chosen, int | float)
    if number or said_by(chosen, pair, record.claims(pair, chosen)) is not None:
        raise ColumnError(
            f"{name!r} holds {chosen!r} in row {record.row}, not a response: they stand in "
            f"{pair[0]!r} and {pair[1]!r}. Say that it is the label: --column label={name}"
        )


def _several_texts(value: Any) -> bool:
    """Whether a cell holds a list of texts, each of them a response."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def chosen_first(
    record: Record, prompt: Turns, chosen: Turns, rejected: Turns, note: str | None = None
) -> Row:
    """A row whose first response is the chosen one, with the scores that the record gives."""
    row = {"prompt": prompt, "response_a": chosen, "response_b": rejected, "note": note}
    for who, names in _SCORES.items():
        name, side = first_of(record, names), names[-1]
        row[side] = record.use(name, side) if name else _score_beside(record, who)
    row |= written_by(record, _MODELS)
    return {**_of_vrpo(record), **row, "label": 1.0, "label_from": ORDER}


def _score_beside(record: Record, name: str) -> Any:
    """The score in a mapping that holds a response: `chosen: {text, score}`."""
    entry = record.inside(name) if isinstance(record.look(name), Mapping) else None
    if not isinstance(entry, Record) or (key := first_of(entry, _KINDS)) is None:
        return None
    return entry[key] if as_number(entry.look(key)) is not None else None


#: Columns of VRPO's published trainers (2504.03784): a reference pair, and P of two pairs.
_VRPO, _VRPO_REFERENCES = ("chosen_preference", "rejected_preference"), ("a_1", "a_2")
_VRPO_AUXILIARY = ("a_1_preference", "a_2_preference")


def _of_vrpo(record: Record) -> Row:
    """References and auxiliary probabilities, from the columns of VRPO's published trainers."""
    row: Row = {}
    if first_of(record, _VRPO):
        row["auxiliary"] = _preference(record, "auxiliary", *_VRPO)
    if first_of(record, _VRPO_REFERENCES):
        texts = {name: get(record, name, "references") for name in _VRPO_REFERENCES}
        row["references"] = [messages(text, "assistant", name) for name, text in texts.items()]
        if first_of(record, _VRPO_AUXILIARY):
            chance = _preference(record, "reference_auxiliary", *_VRPO_AUXILIARY)
            row["reference_auxiliary"] = [chance]
    return row


def _preference(record: Record, became: str, name: str, opposite: str) -> float:
    """P(first preferred), from it and its opposite: they have to sum to 1."""
    chance = fields.probability(get(record, name, became), name)
    if record.given(opposite):
        other = fields.probability(record.use(opposite, became), opposite)
        if abs(chance + other - 1) > 1e-4:
            raise DataError(f"{name!r} and {opposite!r} should sum to 1; got {chance} and {other}")
    return chance


def _parted(
    record: Record, chosen: Any, rejected: Any, names: tuple[str, str]
) -> tuple[Turns, Turns, Turns, str | None]:
    """Prompt, the two responses, and a note: what is shared is the prompt where none is given."""
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise DataError(f"one of {names[0]!r} and {names[1]!r} is text and the other is not")
    if isinstance(chosen, str):
        listed = all(text[:1] + text[-1:] == "[]" for text in (chosen, rejected))
        if listed and all(map(_several_texts, map(fields.written_value, (chosen, rejected)))):
            record.remarks[_LISTS] += 1
        if _is_given(record):
            return _asked(_prompt(record), chosen, rejected), chosen, rejected, None
        return *part_texts(chosen, rejected), None
    a = messages(chosen, "assistant", names[0])
    b = messages(rejected, "assistant", names[1])
    if not a or not b:
        raise DataError(f"{names[0]!r} or {names[1]!r} has no messages")
    if a[0]["role"] == b[0]["role"] == "assistant":
        if not _is_given(record):
            return part(a, b)
        prompt = messages(_prompt(record), "user", "prompt")
        return _asked(prompt, a[0]["content"], b[0]["content"]), a, b, None
    repeated = record.look("messages")
    if repeated is not None and repeated in (chosen, rejected) and not record.used("messages"):
        record.use("messages", "what chosen or rejected holds")
    if not (prompt_column(record) in PROMPTS or is_dialogue(record, _SHAREGPT)):
        return part(a, b)
    asked = _asked(_prompt(record), a[-1]["content"], b[-1]["content"])
    return joined(record, messages(asked, "user", "prompt"), a, b)


def joined(record: Record, given: list[Message], a: list[Message], b: list[Message]) -> Parted:
    """Two dialogues taken apart, with what the prompt beside them says before they begin."""
    parted = part(a, b)
    prompt = _joined(given, parted.prompt, [*a, *b])
    if prompt is not None:
        return parted._replace(prompt=prompt)
    record.remarks[_OTHER_PROMPT] += 1
    return parted._replace(note=CONTEXT_DIFFERS)


def _joined(
    stated: list[Message], shared: list[Message], turns: list[Message]
) -> list[Message] | None:
    """The whole prompt, of which dialogues repeat all, the end or nothing; None for another one."""
    for place in range(len(stated)):
        if stated[place:] == shared[: len(stated) - place]:
            return stated[:place] + shared
    said = [turn["content"].strip() for turn in shared or turns]
    new = [turn for turn in stated if turn["content"].strip() not in said]
    if not new:
        return shared
    goes_on = not shared or (stated[-1]["role"] != "user" and shared[0]["role"] != "system")
    return stated + shared if len(new) == len(stated) and goes_on else None


def _is_given(record: Record) -> bool:
    """Whether a column holds the prompt, or there is none; else what responses share implies it."""
    if prompt_column(record) or record.account.no_prompt:
        return True
    if name := next((name for name in PROMPTS if name in record), None):
        raise DataError(
            f"the column {name!r} is null, and no prompt is implied in its place (where it is "
            f"another thing: --column {name}=)"
        )
    return False


def _prompt(record: Record) -> Turns:
    """The prompt; ShareGPT's conversation says more than a text beside it."""
    if is_dialogue(record, _SHAREGPT):
        return messages(record.use(_SHAREGPT, "prompt"), "user", _SHAREGPT)
    return prompt_of(record)


def _asked(prompt: Turns, chosen: str, rejected: str) -> Turns:
    """A prompt without the answer, where a dialogue goes on to one of the two."""
    if isinstance(prompt, str) or not prompt or prompt[-1]["role"] != "assistant":
        return prompt
    return prompt[:-1] if prompt[-1]["content"] in (chosen, rejected) else prompt


READER = Reader(
    name="chosen and rejected",
    accepts=(
        "chosen, rejected (or chosen_messages, ..., preferred_output, non_preferred_output) and "
        "(given or implied) prompt, ShareGPT's conversations, or OpenAI's input (a mapping with "
        "messages, and tools), each text or messages; or lists of texts, each chosen one against "
        "each rejected one; or messages and rejected_response"
    ),
    columns=(
        *("prompt", "input", _SHAREGPT, *sum(PAIRS, ())),
        *sum(_SCORES.values(), ()),
        *sum(_MODELS, ()),
        *(*_VRPO_REFERENCES, *_VRPO_AUXILIARY, *_VRPO),
    ),
    recognises=lambda columns, _: any(columns >= {*pair} for pair in PAIRS),
    rows=_rows,
    example={"prompt": "p", "chosen": "x", "rejected": "y"},
    rank=3,
)
