"""Chat messages and plain text: the few conversions that everything else uses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NotRequired, TypedDict

from surefoot.boundary.json_texts import json_value
from surefoot.errors import DataError
from surefoot.escaping import excerpt


class Message(TypedDict):
    """One turn: who speaks (`system`, `user`, `assistant`, `tool`) and what is said.

    `extra` is the JSON text of a mapping with the other keys of :data:`CARRIED_KEYS` that the turn
    has, which chat templates read; absent or null where it has none.
    """

    role: str
    content: str
    extra: NotRequired[str | None]


#: Keys of a message beside role and content that are carried to the chat template.
CARRIED_KEYS = (
    *("tool_calls", "function_call", "tool_call_id", "name"),
    *("reasoning_content", "reasoning", "thinking"),
)

#: Every key of a message, and of a part of its content, that :func:`to_messages` reads.
MESSAGE_KEYS = frozenset(("role", "from", "content", "value", *CARRIED_KEYS))
PART_KEYS = frozenset(("type", "text", "value"))

#: What data in the wild calls the speakers, and what chat templates call them.
ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "function_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), "tool"),
}


def to_messages(value: object, role: str) -> list[Message]:
    """Messages from messages, from one message, or from a plain text spoken by `role`.

    Takes both `role`/`content` and ShareGPT's `from`/`value`.

    Raises:
        DataError: anything else, with what was found (no place: the caller knows it).
    """
    if isinstance(value, str):
        return [Message(role=role, content=sound(value))]
    if isinstance(value, Mapping):
        return [_message(value)]
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return list(map(_message, value))
    raise DataError(f"expected text or messages; got {describe(value)}")


def messages(value: object, role: str, name: str) -> list[Message]:
    """Messages in a column, with the column's name in the error: see :func:`to_messages`."""
    try:
        return to_messages(value, role)
    except DataError as error:
        raise DataError(f"{name!r}: {error}") from None


def _message(turn: object) -> Message:
    if not isinstance(turn, Mapping):
        raise DataError(f"expected text or messages; got a list with {describe(turn)} in it")
    speaker = _either(turn, "role", "from")
    if not isinstance(speaker, str) or speaker.casefold() not in ROLES:
        raise DataError(f"a message has the role {speaker!r}; valid: {', '.join(sorted(ROLES))}")
    content = _either(turn, "content", "value")
    extra = extra_of(turn.get("extra"))
    extra |= {key: turn[key] for key in CARRIED_KEYS if turn.get(key) not in (None, "", [], {})}
    if content is None and extra:  # a turn that only calls tools
        content = ""
    if isinstance(content, list):
        content = "".join(map(_part, content))
    if not isinstance(content, str):
        got = describe(content)
        if content is None:
            got = f"nothing (its keys: {', '.join(map(str, turn))})"
        raise DataError(f"the content of a message should be text; got {got}")
    message = Message(role=ROLES[speaker.casefold()], content=sound(content))
    if extra:  # JSON text that is equal where the values are
        written = json.dumps(extra, ensure_ascii=False, sort_keys=True, default=str)
        message["extra"] = sound(written)
    return message


def extra_of(value: object) -> dict[str, Any]:
    """The other keys of a message that was converted already; data may use the name otherwise."""
    found = mapping_in(value) or {}
    return found if found.keys() <= set(CARRIED_KEYS) else {}


def mapping_in(value: object) -> dict[str, Any] | None:
    """The mapping that a JSON text is; None for anything else."""
    try:
        found = json_value(value) if isinstance(value, str) else None
    except DataError:
        return None
    return found if isinstance(found, dict) else None


def with_extra(message: Message) -> dict[str, Any]:
    """A message as it was given, for a chat template: role, content and the keys of its `extra`."""
    extra = message.get("extra")
    known = {"role": message["role"], "content": message["content"]}
    return known | (json.loads(extra) if extra else {})


def said(message: Message) -> str:
    """Everything that a turn says, as one text: its content, then tool calls, reasoning and so on.

    >>> said({"role": "assistant", "content": "", "extra": '{"name": "weather"}'})
    '{"name": "weather"}'
    """
    return "\n".join(text for text in (message["content"], message.get("extra")) if text)


def _either(turn: Mapping[str, Any], name: str, second_name: str) -> Any:
    """What stands under one of two names; where both have something, it has to be the same."""
    given = [turn[one] for one in (name, second_name) if turn.get(one) is not None]
    if len(given) == 2 and given[0] != given[1]:
        raise DataError(f"a message has {name!r} and {second_name!r}, which say different things")
    return given[0] if given else None


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    text = _either(part, "text", "value") if isinstance(part, Mapping) else None
    kind = part.get("type") if isinstance(part, Mapping) else None
    if isinstance(text, str) and kind in (None, "text", "input_text", "output_text"):
        return text
    what = repr(kind) if isinstance(kind, str) else describe(part)
    raise DataError(f"a message has a part that is not text ({what}); only text is read")


def sound(text: str) -> str:
    """The text itself, if it can be written as UTF-8 (a lone surrogate cannot)."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"text that is not valid Unicode at character {error.start}") from None
    return text


def describe(value: object) -> str:
    """What a value is, in words for a message, with a short excerpt."""
    if value is None:
        return "nothing (null)"
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list"}
    kind = "a mapping" if isinstance(value, Mapping) else kinds.get(type(value))
    return f"{kind or type(value).__name__}, {excerpt(value, 60)}"


def to_text(messages: Sequence[Message]) -> str:
    """A single message's content, or all turns with their roles, a blank line between them."""
    if len(messages) == 1:
        return said(messages[0])
    return "\n\n".join(f"{m['role']}: {said(m)}" for m in messages)


class Prompt(NamedTuple):
    """What a response answers: the columns of a comparison that say it, in this order."""

    prompt: Sequence[Message]  #: turns; none where the data have no prompt
    conversational: bool = False  #: they are messages, for a chat template, and no plain text
    tools: str | None = None  #: JSON text of the functions that the chat template is given
    template_arguments: str | None = None  #: JSON text of its other arguments

    def text(self) -> str:
        """Tools and all turns as one text."""
        turns = to_text(self.prompt)
        return f"tools: {self.tools}\n\n{turns}" if self.tools else turns


def last_turn(messages: Sequence[Message]) -> str:
    """Content of the last turn, which is what a response answers; empty for an empty prompt."""
    return said(messages[-1]) if messages else ""


def is_empty_prompt(prompt: Sequence[Message]) -> bool:
    """Whether a prompt says nothing but a system message, so that responses answer nothing."""
    return not any(turn["role"] != "system" and said(turn).strip() for turn in prompt)


def shared_start(a: Sequence[object], b: Sequence[object]) -> int:
    """How many items two texts or other sequences have in common from the start."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


def start_of(text: str, length: int) -> str:
    """At most so many characters of a text, in one line.

    >>> start_of("How do I bake bread?", 12)
    'How do I ba…'
    """
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def normalised(text: str) -> str:
    """Text without differences of case and spacing."""
    return " ".join(text.casefold().split())
