"""What a check is given: the data, one pass over their texts, and how a finding is made."""

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

from surefoot.arrays import Ints
from surefoot.data.checks.report import ExampleRow, Finding
from surefoot.data.keys import key_of, opening_key, prompt_key
from surefoot.data.reading.cells import parsed_messages
from surefoot.data.rendering.embedding_texts import FeatureView
from surefoot.data.rendering.fidelity import is_marked
from surefoot.data.rendering.notes import Severity
from surefoot.data.schema import Preferences
from surefoot.data.text import Message, Prompt, last_turn, to_text
from surefoot.errors import ConfigurationError

#: Beside them, spaces without width and signs that turn the direction of what follows.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
#: What tables and languages write where there is nothing.
_NOTHING = frozenset(("nan", "none", "null", "n/a", "<na>", "nat", "undefined"))
_EXAMPLES = 3

#: Characters of its prompt that a response repeats at least; fewer are a common start.
_REPEATED = 30

#: What the pass keeps of each row: numbers only. Keys are hashes blind to case and spacing;
#: responses that differ in those alone have keys that see both. Flags are called like the finding.
_ROW = np.dtype(
    [
        ("prompt", np.int64),  # key
        ("responses", np.int64, 2),  # keys of the responses alone
        ("lengths", np.int64, 3),  # characters of prompt and responses, blanks stripped
        ("opening", np.int64),  # key of what the user says first
        ("mojibake", np.bool_),
        ("replacement-character", np.bool_),  # a text holds U+FFFD
        ("control-character", np.bool_),  # a text holds control characters
        ("prompt-repeated", np.bool_),
        ("identical-responses", np.bool_),  # both responses are one text
        ("alike-responses", np.bool_),  # they differ in case and spacing alone
        ("rendered-already", np.bool_),  # a text holds marks of a chat template
        ("messages-as-text", np.bool_),  # a text is messages as JSON or Python writes them
        ("ends-with-user", np.bool_),  # the last words of a response are the user's
    ]
)


def _scanned(prompt: Prompt, sides: Sequence[Sequence[Message]]) -> tuple[Any, ...]:
    """The values of :data:`_ROW` for one row."""
    texts = asked, a, b = (to_text(prompt.prompt), *map(to_text, sides))
    keys = [key_of(a), key_of(b)]
    same, alike = a == b, a != b and keys[0] == keys[1]
    if alike:
        keys = [key_of(a.encode().hex()), key_of(b.encode().hex())]
    lengths = [0 if t.strip().casefold() in _NOTHING else len(t.strip()) for t in texts]
    start = last_turn(prompt.prompt).strip()
    return (
        prompt_key(prompt),
        keys,
        lengths,
        opening_key(prompt.prompt),
        *_wrong_characters(f"{asked}\n{a}\n{b}"),
        len(start) >= _REPEATED and a.startswith(start) and b.startswith(start),
        same,
        alike,
        any(map(is_marked, texts)),
        any(map(parsed_messages, texts)),
        any(one and one[-1]["role"] == "user" for one in sides),
    )


def without_controls(text: str) -> str:
    """A text without the control characters that are found in it."""
    return _CONTROL.sub("", text)


def _wrong_characters(text: str) -> tuple[bool, bool, bool]:
    """Whether a text has mojibake that can be undone, U+FFFD, and control characters."""
    control = _CONTROL.search(text) is not None
    if text.isascii():
        return False, False, control
    mojibake = is_bad(text) and ftfy.fix_encoding(text) != text
    return mojibake, "\ufffd" in text, control


@dataclass(frozen=True)
class Context:
    """What a check is given: the arguments of :func:`surefoot.data.checks.check`."""

    preferences: Preferences
    against: Preferences | None = None
    tokenizer: Any = None
    max_length: int | None = None
    keep_end: bool = False
    views: Sequence[FeatureView] | None = None

    @cached_property
    def scan(self) -> npt.NDArray[Any]:
        """The pass over the texts, made once for all checks: (N,), with the fields of `_ROW`."""
        sides = self.preferences.read("response_a", "response_b")
        rows = map(_scanned, self.preferences.prompts(), sides)
        return np.fromiter(rows, _ROW, len(self.preferences))

    @cached_property
    def files(self) -> dict[str, Ints]:
        """Positions of the rows of each file."""
        names, inverse = np.unique(
            [name or "" for name in self.preferences.strings("file")], return_inverse=True
        )
        return {str(name): np.flatnonzero(inverse == i) for i, name in enumerate(names)}

    def finding(
        self, kind: str, severity: Severity, rows: npt.NDArray[Any], meaning: str, remedy: str
    ) -> Iterator[Finding]:
        """A finding about these rows, given as a mask (N,) or as positions; none if there are none.

        Yields once or not at all, so that a check can simply delegate to it.

        Raises:
            ConfigurationError: a mask that is not one of these rows.
        """
        if rows.dtype == np.bool_ and rows.shape != (len(self.preferences),):
            raise ConfigurationError(
                f"check {kind!r} gave a mask of shape {rows.shape} for {len(self.preferences)} "
                "row(s): give True or False for each row, or positions as whole numbers."
            )
        positions = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.int64)
        if len(positions):
            share = len(positions) / len(self.preferences)
            examples = tuple(self.example(int(i)) for i in positions[:_EXAMPLES])
            yield Finding(
                kind, severity, len(positions), share, examples, meaning, remedy, positions
            )

    def example(self, position: int) -> ExampleRow:
        """A row as an example: its place and how its texts begin."""
        row = self.preferences.dataset[position]
        parts = (last_turn(row["prompt"]), to_text(row["response_a"]), to_text(row["response_b"]))
        excerpt = " | ".join(repr(part[:60] + "…" * (len(part) > 60)) for part in parts)
        return ExampleRow(row["file"], row["row"], excerpt)


#: It yields what it finds, and a sentence where it could not be made: what it is, and why.
Check = Callable[[Context], Iterator[Finding | str]]


def check_of(
    kind: str,
    severity: Severity,
    meaning: str,
    remedy: str,
    rows: Callable[[Context], npt.NDArray[Any]] | None = None,
) -> Check:
    """A check that is one finding, about the rows that a function gives or a flag of the scan."""

    def check(context: Context) -> Iterator[Finding]:
        found = context.scan[kind] if rows is None else rows(context)
        yield from context.finding(kind, severity, found, meaning, remedy)

    check.__name__, check.__doc__ = kind.replace("-", "_"), meaning
    return check
