"""Chat messages and plain text: the few conversions that everything else uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class Message(TypedDict):
    """One turn: who speaks (`system`, `user`, `assistant`, `tool`) and what is said."""

    role: str
    content: str


def to_messages(given: str | Sequence[Message], role: str) -> list[Message]:
    """Messages as they are; a plain text becomes one message of that role."""
    if isinstance(given, str):
        return [Message(role=role, content=given)]
    return [Message(role=m["role"], content=m["content"]) for m in given]


def to_text(messages: Sequence[Message]) -> str:
    """A single message's content, or all turns with their roles, a blank line between them."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n\n".join(f"{m['role']}: {m['content']}" for m in messages)


def last_turn(messages: Sequence[Message]) -> str:
    """Content of the last turn, which is what a response answers; empty for an empty prompt."""
    return messages[-1]["content"] if messages else ""


def normalised(text: str) -> str:
    """Text without differences of case and spacing."""
    return " ".join(text.casefold().split())
