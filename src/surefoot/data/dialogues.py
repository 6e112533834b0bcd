"""A pair of whole dialogues, taken apart into the shared prompt and two responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from surefoot.data.text import Message

#: Noted in a row whose two dialogues part before their last turn.
CONTEXT_DIFFERS = "the two dialogues part before their last turn"


class Parted(NamedTuple):
    """Prompt, the two responses, and a note if they were not answers to the same prompt."""

    prompt: list[Message]
    response_a: list[Message]
    response_b: list[Message]
    note: str | None


def part(a: Sequence[Message], b: Sequence[Message]) -> Parted:
    """Take two dialogues apart where they first differ, which should be at the last turn.

    Where they part earlier, everything from there on is the response (several turns), so that
    nothing is lost, and the row is noted. A response begins with what the assistant says.
    """
    shared = max(0, min(_shared(a, b), len(a) - 1, len(b) - 1))
    while shared and not (a[shared]["role"] == b[shared]["role"] == "assistant"):
        shared -= 1
    one_turn_left = len(a) == len(b) == shared + 1 and a[shared]["role"] != "user"
    return Parted(
        list(a[:shared]),
        list(a[shared:]),
        list(b[shared:]),
        None if one_turn_left else CONTEXT_DIFFERS,
    )


def _shared(a: Sequence[object], b: Sequence[object]) -> int:
    """How many items two sequences have in common from the start."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


def part_texts(a: str, b: str) -> tuple[str, str, str]:
    """Take two plain texts apart after the last word that both begin with.

    The split falls before a space, so that no word is cut and no response is left empty.
    """
    end = min(_shared(a, b), len(a.rstrip()) - 1, len(b.rstrip()) - 1)
    while end > 0 and not a[end].isspace():
        end -= 1
    end = max(end, 0)
    return a[:end], a[end:], b[end:]
