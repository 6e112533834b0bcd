"""Chat messages and plain text: the few conversions that everything else uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from surefoot.errors import DataError


class Message(TypedDict):
    """One turn: who speaks (`system`, `user`, `assistant`, `tool`) and what is said."""

    role: str
    content: str


#: What data in the wild calls the speakers, and what chat templates call them.
ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "function_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), "tool"),
}


def to_messages(given: object, role: str) -> list[Message]:
    """Messages from messages, from one message, or from a plain text spoken by `role`.

    Takes both `role`/`content` and ShareGPT's `from`/`value`.

    Raises:
        DataError: anything else, with what was found (no place: the caller knows it).
    """
    if isinstance(given, str):
        return [Message(role=role, content=sound(given))]
    if isinstance(given, Mapping):
        return [_message(given)]
    if isinstance(given, Sequence) and not isinstance(given, bytes):
        return [_message(turn) for turn in given]
    raise DataError(f"expected text or messages; got {describe(given)}")


def _message(turn: object) -> Message:
    if not isinstance(turn, Mapping):
        raise DataError(f"expected text or messages; got a list with {describe(turn)} in it")
    speaker = turn.get("role", turn.get("from"))
    if not isinstance(speaker, str) or speaker.casefold() not in ROLES:
        raise DataError(f"a message has the role {speaker!r}; valid: {', '.join(sorted(ROLES))}")
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str):
        raise DataError(f"the content of a message should be text; got {describe(content)}")
    return Message(role=ROLES[speaker.casefold()], content=sound(content))


def _part(part: Any) -> str:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return str(part["text"])
    raise DataError("a message has a part that is not text (an image?); only text is read")


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
    excerpt = repr(value)
    excerpt = excerpt if len(excerpt) <= 60 else excerpt[:57] + "..."
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "text"}
    kinds |= {list: "a list", dict: "a mapping"}
    return f"{kinds.get(type(value), type(value).__name__)}, {excerpt}"


def to_text(messages: Sequence[Message]) -> str:
    """A single message's content, or all turns with their roles, a blank line between them."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{m['role']}: {m['content']}" for m in messages)


def last_turn(messages: Sequence[Message]) -> str:
    """Content of the last turn, which is what a response answers; empty for an empty prompt."""
    return messages[-1]["content"] if messages else ""


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
