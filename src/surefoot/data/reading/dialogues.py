"""A pair of whole dialogues, taken apart into the shared prompt and two responses."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from surefoot.data.text import Message, shared_start

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
    shared = max(0, min(shared_start(a, b), len(a) - 1, len(b) - 1))
    while shared and not (a[shared]["role"] == b[shared]["role"] == "assistant"):
        shared -= 1
    one_turn_left = len(a) == len(b) == shared + 1 and a[shared]["role"] != "user"
    return Parted(
        list(a[:shared]),
        list(a[shared:]),
        list(b[shared:]),
        None if one_turn_left else CONTEXT_DIFFERS,
    )


#: Scripts that put no spaces between words, from the first to the last character of each block.
_SPACELESS = (
    *(("\u0e00", "\u0eff"), ("\u0f00", "\u0fff"), ("\u1000", "\u109f"), ("\u1780", "\u17ff")),
    *(("\u2e80", "\u312f"), ("\u3190", "\u9fff"), ("\uf900", "\ufaff"), ("\uff00", "\uffef")),
    ("\U00020000", "\U0003ffff"),
)


def part_texts(a: str, b: str) -> tuple[str, str, str]:
    """Take two plain texts apart after the last word that both begin with.

    The split falls before a space, so that no word is cut and no response is left empty. In scripts
    without spaces between words it falls where the texts first differ.

    >>> part_texts("问:茶?答:好。", "问:茶?答:不好。")
    ('问:茶?答:', '好。', '不好。')
    """
    end = min(shared_start(a, b), len(a.rstrip()) - 1, len(b.rstrip()) - 1)
    while end > 0 and not (_may_part(a, end) and _may_part(b, end)):
        end -= 1
    end = max(end, 0)
    return a[:end], a[end:], b[end:]


def _may_part(text: str, place: int) -> bool:
    """Whether a word, or a sign of a script without spaces, ends before this place."""
    before, after = text[place - 1], text[place]
    spaceless = any(low <= sign <= high for low, high in _SPACELESS for sign in (before, after))
    combining = unicodedata.category(after).startswith("M")
    return after.isspace() or (spaceless and not combining)
