"""What every reader has in common: the parts of a record that readers take, and those they leave.

Readers take columns with :func:`get`, :func:`prompt_of` and :meth:`Record.preference`. What any
record may have beside (a system message, a history, tools, votes, optional columns) is read here,
for all of them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from surefoot.data.labels.ballots import ANNOTATORS, voter_of, votes_of
from surefoot.data.labels.codings import as_number
from surefoot.data.reading import fields
from surefoot.data.reading.account import misspelt
from surefoot.data.reading.record import ColumnError, Record
from surefoot.data.schema import ABSENT, declared, filled
from surefoot.data.text import Message, messages, to_text
from surefoot.errors import DataError

Row = dict[str, Any]

#: Optional columns of the contract that every reader carries through under their own names.
CARRIED = (
    *("id", "group", "source", "cluster", "time", "weight", "votes"),
    *("auxiliary", "references", "reference_auxiliary", "reference_law"),
    *("tools", "template_arguments"),
)

#: Columns of the contract that say what wrote the responses.
AUTHORS = ("model_a", "model_b")

#: Columns that hold the prompt, the first that has a value. Those of the second line are
#: taken where none of the first has.
PROMPTS = (
    *("prompt", "instruction", "input", "question", "query"),
    *("question_text", "prompt_text", "user_prompt", "user_query"),
)
#: Keys of a prompt that is a mapping (WebGPT's `question`, OpenAI's `input`), under which its text
#: stands; else it has messages.
_TEXTS = ("full_text", "text")
#: The same of a response that is no message.
_RESPONSES = ("text", "response", "completion", "answer", "content", "output")
DIALOGUES = ("context", "conversation", "conversations", "messages", "history")

SYSTEMS = ("system", "system_prompt", "system_message")
HISTORY = "history"
TEMPLATE_ARGUMENTS = "chat_template_kwargs"
_TOOLS = ("tools", "functions")
MEDIA = ("images", "image", "audio", "audios", "video", "videos")
_PLACES = ("<image>", "<audio>", "<video>")

_CARRIED, _MEDIA, _BEFORE = frozenset(CARRIED), frozenset(MEDIA), frozenset((*SYSTEMS, HISTORY))

#: Words in the names of columns that change what is learnt where they are read, and so are warned
#: of where they are not; and words beside which they are only counted or named.
_MEANINGFUL = re.compile(
    "system|developer|persona|preamble|history|context|messages|turns|prompts|thinking|reasoning|"
    "swapped|flipped|reversed|loss|mask|(?:conversation|dialog|dialogue|image|audio|video|document|"
    "passage|tool|function|instruction|margin|weight|thought)s?"
)
_COUNTED = re.compile("ids?|hash|num|n|count|length|len|name|type|version|tokens")


def changes_meaning(name: str) -> bool:
    """Whether a column or a key (`prompt.system`, `chosen[].weight`) may change what is learnt."""
    last = name.rpartition(".")[2]
    words = re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", "_", last).casefold())
    counted = any(map(_COUNTED.fullmatch, words))
    return last in PROMPTS or (not counted and any(map(_MEANINGFUL.fullmatch, words)))


#: Beside those of readers, names that a user may map their own columns to.
COMMON = (*CARRIED, *SYSTEMS, HISTORY, TEMPLATE_ARGUMENTS, *ANNOTATORS)


def get(record: Record, name: str, became: str = "") -> Any:
    """A column that must be there; `became` is the column of the contract that it is read as.

    Raises:
        DataError: it is absent or null.
    """
    value = record.use(name, became) if became else record.get(name)
    if value is None:
        state = "null" if name in record else "missing"
        raise DataError(f"the column {name!r} is {state}")
    return value


def response_of(record: Record, name: str, became: str) -> Any:
    """A response that must be there: text or messages, or the text in a mapping with other keys.

    Raises:
        DataError: it is absent or null, or the mapping has no text.
    """
    value = get(record, name, became)
    return text_of(record.inside(name), name) if isinstance(value, Mapping) else value


def text_of(entry: Any, name: str) -> Any:
    """The response in an entry of the column `name`, which may be a mapping that has more keys."""
    if not isinstance(entry, Record):
        return entry
    key = first_of(entry, _RESPONSES)
    if key is None:
        keys = ", ".join(map(str, entry)) or "nothing"
        raise DataError(
            f"{name!r} holds a mapping with {keys}, and none of {', '.join(_RESPONSES)}"
        )
    return entry[key]


def written_by(record: Record, names: Iterable[tuple[str, str]]) -> Row:
    """What wrote either response, from the first two columns of these that have a value each."""
    for pair in names:
        if all(map(record.given, pair)):
            sides = zip(AUTHORS, pair, strict=True)
            return {side: record.use(name, side) for side, name in sides}
    return {}


def first_of(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of these columns that has a value; looking does not use it."""
    if isinstance(record, Record):
        return next((name for name in names if record.given(name)), None)
    return next((name for name in names if not fields.missing(record.get(name))), None)


def prompt_column(record: Record) -> str | None:
    """The column of the prompt under any of its names, else that of the turns so far."""
    filled_in = (name for name in PROMPTS if record.given(name))
    empty = (name for name in PROMPTS if record.look(name) is not None)
    turns = (
        name for is_one in (is_dialogue, _is_text) for name in DIALOGUES if is_one(record, name)
    )
    return next(itertools.chain(filled_in, empty, turns), None)


def prompt_of(record: Record) -> str | list[Message]:
    """The prompt under any of its names; `input` is appended to an `instruction`.

    Raises:
        DataError: there is none, and it was not said that the data have none.
    """
    name = prompt_column(record)
    if name is None and record.account.no_prompt:
        return ""
    if name is None and (theirs := record.account.theirs.get("prompt")):
        raise DataError(f"the prompt is missing: {theirs!r} is empty")
    if name is None:
        meant = dict(misspelt(record, PROMPTS))
        near = "".join(f" ({name!r}: did you mean {it!r}?)" for name, it in meant.items())
        raise DataError(
            f"no column holds the prompt ({', '.join((*PROMPTS, *DIALOGUES))}){near}. Say which "
            f"does (--column prompt={next(iter(meant), 'yours')}), or that the data have none "
            "(--no-prompt)"
        )
    prompt = get(record, name, "prompt")
    if name == "instruction" and isinstance(prompt, str) and record.given("input"):
        extra = record.use("input", "prompt")
        if not isinstance(extra, str):
            raise DataError("'input': expected text beside 'instruction'")
        return f"{prompt}\n\n{extra}"
    if isinstance(prompt, str):
        return prompt
    inner = record.inside(name) if name in PROMPTS and isinstance(prompt, Mapping) else None
    if isinstance(inner, Record):
        text = first_of(inner, _TEXTS)
        if text is None and not inner.given("messages"):
            keys = ", ".join(map(str, inner)) or "nothing"
            raise DataError(f"{name!r} holds {keys}, and none of {', '.join(_TEXTS)}, messages")
        return str(inner[text]) if text else messages(inner["messages"], "user", f"{name}.messages")
    return messages(prompt, "user", name)


def is_dialogue(record: Record, name: str) -> bool:
    """Whether a column holds messages (a history of pairs of texts is none)."""
    value = record.look(name)
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def _is_text(record: Record, name: str) -> bool:
    value = record.look(name)
    return isinstance(value, str) and value.strip() != ""


def complete(record: Record, row: Row, familiar: AbstractSet[str]) -> Row:
    """A row of a reader's with what any record may have beside, checked, with every column.

    Columns that are `familiar` are taken otherwise, or not at all.

    Raises:
        DataError: a column cannot be used.
    """
    _refuse_media(record, row)
    row = _with_context(record, dict(row))
    for name in CARRIED if record.has_any(_CARRIED) else ():
        if name not in row and record.given(name):
            row[name] = votes_of(record, optional=True) if name == "votes" else record[name]
    if not fields.missing(row.get("time")):
        unknown = as_number(row["time"]) == _NO_TIME
        row["time"] = None if unknown else _seconds(record, row["time"])
    for name in record.keys() - familiar:
        if name not in row and record.given(name) and declared(name) is not None:
            row[name] = record[name]
    if "template_arguments" not in row and record.given(TEMPLATE_ARGUMENTS):
        row["template_arguments"] = record.use(TEMPLATE_ARGUMENTS, "template_arguments")
    if "tools" not in row and isinstance(record.look("input"), Mapping):
        inner = record.inside("input")
        if isinstance(inner, Record) and (tools := first_of(inner, _TOOLS)):
            row["tools"] = inner[tools]
    if record.without_label:
        return filled({**row, "label_from": ABSENT})
    if "votes" not in row and (voter := voter_of(record)) is not None:
        record.voter = voter
        row["votes"] = [{"annotator": voter, "value": row["label"]}]
        row["label_from"] = "votes" if row["label_from"] == "label" else row["label_from"]
    return filled(row)


#: Stands in many columns of times where none is known; in milliseconds it would be no time at all.
_NO_TIME = -1


def _seconds(record: Record, value: object) -> float:
    """A time in seconds, from a number in the one unit that the whole column has."""
    try:
        seconds, unit = fields.dated(value)
    except DataError as error:
        raise fields.MisfitError("time", error) from None
    units = record.account.units
    if unit:
        units.setdefault(unit, f"row {record.row}: {value}")
    if len(units) > 1:
        found = " and ".join(f"{one} ({where})" for one, where in units.items())
        name = next((n for n, it in record.account.became.items() if it == "time"), "time")
        theirs = record.account.theirs.get(name)
        out = f"without --column {name}={theirs}" if theirs else f"--column {name}="
        raise ColumnError(
            f"{(theirs or name)!r} seems to hold {found} since 1970. Write all of it in one unit, "
            f"or leave it out: {out}"
        )
    return seconds


def _with_context(record: Record, row: Row) -> Row:
    """The row with a system message and a history in front of its prompt."""
    if not record.has_any(_BEFORE):
        return row
    given = [n for n in (*SYSTEMS, HISTORY) if record.given(n) and not record.used(n)]
    name = next((name for name in given if name != HISTORY), None)
    system = messages(record.use(name, "prompt"), "system", name) if name is not None else []
    earlier = list(_history(record.use(HISTORY, "prompt"))) if HISTORY in given else []
    if not system and not earlier:
        return row
    prompt = messages(row["prompt"], "user", "prompt") if row["prompt"] != "" else []
    parts = (system, earlier, prompt)
    first = [turns.pop(0) for turns in parts if turns and turns[0]["role"] == "system"]
    if any(turn["content"] != first[0]["content"] for turn in first):
        name = name or HISTORY
        raise DataError(
            f"the column {name!r} and the prompt hold different system messages; leave the "
            f"column out with --column {name}="
        )
    earlier = [] if prompt[: len(earlier)] == earlier else earlier
    row["prompt"] = [*first[-1:], *system, *earlier, *prompt]
    return {**row, "conversational": True}


def _history(value: object) -> Iterator[Message]:
    """Earlier turns: messages, or pairs of what the user and what the assistant said."""
    hint = f"if it is another thing: --column {HISTORY}="
    try:
        turns = fields.listed(value, HISTORY)
    except DataError as error:
        raise DataError(f"{error}; {hint}") from None
    if turns and all(isinstance(turn, Mapping) for turn in turns):
        yield from messages(turns, "user", HISTORY)
        return
    for turn in turns:
        if not isinstance(turn, Sequence) or isinstance(turn, str) or len(turn) != 2:
            raise DataError(
                f"{HISTORY!r} should hold messages, or pairs of what two speakers said; {hint}"
            )
        for role, said in zip(("user", "assistant"), turn, strict=True):
            if not fields.missing(said):
                yield from messages(said, role, HISTORY)


def _refuse_media(record: Record, row: Row) -> None:
    """Rows whose texts have a place for an image, sound or film that stands in another column."""
    name = first_of(record, MEDIA) if record.has_any(_MEDIA) else None
    if name is None:
        return
    for part in ("prompt", "response_a", "response_b"):
        text = row[part] if isinstance(row[part], str) else to_text(messages(row[part], "", part))
        for place in _PLACES:
            if place in text:
                raise DataError(
                    f"the text has {place!r} for what the column {name!r} holds; only text is read"
                )
