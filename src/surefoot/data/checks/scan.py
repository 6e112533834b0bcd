"""One pass over the texts that keeps numbers only: hashes, lengths and flags of each row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ftfy
import numpy as np
import numpy.typing as npt
from ftfy.badness import is_bad

from surefoot.data.checks.report import ExampleRow, Finding
from surefoot.data.reading.cells import parsed_messages
from surefoot.data.rendering.embedding_texts import FeatureView
from surefoot.data.rendering.fidelity import is_marked
from surefoot.data.rendering.notes import Severity
from surefoot.data.schema import Preferences, key_of, prompt_key
from surefoot.data.text import Message, last_turn, to_text

#: Beside them, spaces without width and signs that turn the direction of what follows.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
#: What tables and languages write where there is nothing.
_NOTHING = frozenset(("nan", "none", "null", "n/a", "<na>", "nat", "undefined"))
_EXAMPLES = 3

#: Characters of its prompt that a response repeats at least; fewer are a common start.
_REPEATED = 30


@dataclass(frozen=True)
class Scan:
    """Arrays over rows; keys are hashes blind to case and spacing, lengths are in characters.

    Responses that differ in case and spacing alone have keys that see both.
    """

    prompt: npt.NDArray[np.int64]  # (N,) key
    responses: npt.NDArray[np.int64]  # (N, 2) keys of the responses alone
    lengths: npt.NDArray[np.int64]  # (N, 3) of prompt, response a, response b; blanks stripped
    opening: npt.NDArray[np.int64]  # (N,) key of what the user says first
    mojibake: npt.NDArray[np.bool_]  # (N,)
    replaced: npt.NDArray[np.bool_]  # (N,)
    control: npt.NDArray[np.bool_]  # (N,)
    repeats_prompt: npt.NDArray[np.bool_]  # (N,)
    same: npt.NDArray[np.bool_]  # (N,) both responses are one text
    alike: npt.NDArray[np.bool_]  # (N,) they differ in case and spacing alone
    marked: npt.NDArray[np.bool_]  # (N,) a text holds marks of a chat template
    written: npt.NDArray[np.bool_]  # (N,) a text is messages as JSON or Python writes them
    user_ends: npt.NDArray[np.bool_]  # (N,) the last words of a response are the user's


def scan(preferences: Preferences) -> Scan:
    """Read every text once."""
    numbers = np.empty((len(preferences), 7), dtype=np.int64)
    flags = np.zeros((len(preferences), 9), dtype=np.bool_)
    rows = preferences.read("response_a", "response_b")
    for i, (prompt_read, sides) in enumerate(zip(preferences.prompts(), rows, strict=True)):
        prompt, (a, b) = to_text(prompt_read.prompt), map(to_text, sides)
        texts, keys = (prompt, a, b), [key_of(a), key_of(b)]
        same, alike = a == b, a != b and keys[0] == keys[1]
        if alike:
            keys = [key_of(a.encode().hex()), key_of(b.encode().hex())]
        lengths = (0 if t.strip().casefold() in _NOTHING else len(t.strip()) for t in texts)
        numbers[i] = [prompt_key(prompt_read), *keys, *lengths, opening_key(prompt_read.prompt)]
        start = last_turn(prompt_read.prompt).strip()
        repeats = len(start) >= _REPEATED and a.startswith(start) and b.startswith(start)
        wrong = _wrong_characters(f"{prompt}\n{a}\n{b}")
        shape = [any(map(is_marked, texts)), any(map(parsed_messages, texts))]
        by_user = any(one and one[-1]["role"] == "user" for one in sides)
        flags[i] = *wrong, repeats, same, alike, *shape, by_user
    return Scan(numbers[:, 0], numbers[:, 1:3], numbers[:, 3:6], numbers[:, 6], *flags.T)


def opening_key(prompt: Sequence[Message]) -> int:
    """A hash of what the user says first, which the branches of one dialogue share."""
    return key_of(next((turn["content"] for turn in prompt if turn["role"] == "user"), ""))


def _wrong_characters(text: str) -> tuple[bool, bool, bool]:
    """Whether a text has mojibake that can be undone, U+FFFD, and control characters."""
    control = _CONTROL.search(text) is not None
    if text.isascii():
        return False, False, control
    mojibake = is_bad(text) and ftfy.fix_encoding(text) != text
    return mojibake, "\ufffd" in text, control


@dataclass(frozen=True)
class Context:
    """What a check is given."""

    preferences: Preferences
    against: Preferences | None = None
    tokenizer: Any = None
    max_length: int | None = None
    keep_end: bool = False
    views: Sequence[FeatureView] | None = None

    @cached_property
    def scan(self) -> Scan:
        """The pass over the texts, made once for all checks."""
        return scan(self.preferences)

    @cached_property
    def files(self) -> dict[str, npt.NDArray[np.int64]]:
        """Positions of the rows of each file."""
        names, inverse = np.unique(
            [name or "" for name in self.preferences.strings("file")], return_inverse=True
        )
        return {str(name): np.flatnonzero(inverse == i) for i, name in enumerate(names)}

    def finding(
        self,
        kind: str,
        severity: Severity,
        rows: npt.NDArray[Any],
        meaning: str,
        remedy: str,
    ) -> Iterator[Finding]:
        """A finding about these rows, given as a mask (N,) or as positions; none if there are none.

        Yields once or not at all, so that a check can simply delegate to it.
        """
        positions = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        if len(positions):
            yield Finding(
                kind=kind,
                severity=severity,
                count=len(positions),
                share=len(positions) / len(self.preferences),
                examples=tuple(self.example(int(i)) for i in positions[:_EXAMPLES]),
                meaning=meaning,
                remedy=remedy,
                positions=positions,
            )

    def example(self, position: int) -> ExampleRow:
        """A row as an example: its place and how its texts begin."""
        row = self.preferences.dataset[position]
        parts = (last_turn(row["prompt"]), to_text(row["response_a"]), to_text(row["response_b"]))
        excerpt = " | ".join(repr(part[:60] + "…" * (len(part) > 60)) for part in parts)
        return ExampleRow(row["file"], row["row"], excerpt)


@dataclass(frozen=True)
class Unchecked:
    """Why a check could not be made."""

    reason: str


Check = Callable[[Context], Iterator[Finding | Unchecked]]
