"""How label columns say which of two responses is preferred: numbers in several codings, and words.

A coding belongs to a whole column. Which one a column has is decided in
:mod:`surefoot.data.labels.column`, from all of its values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.data.text import describe
from surefoot.errors import ConfigurationError, DataError, unknown_name

#: The two responses' columns, as words may name them, and the tie.
_BARE = {
    **dict.fromkeys(("a", "first", "1st", "left", "former"), 1.0),
    **dict.fromkeys(("b", "second", "2nd", "right", "latter"), 0.0),
}
_TIES = re.compile(
    r"ties?|tied|draw|even|neither|indifferent|equals?|(?:the|aboutthe)?same|nopreference|"
    r"nodifference|(?:tie)?both(?:bad|good)?|equally(?:good|bad)|(?:both|bothare|theyare)equal|"
    r"bothare(?:good|bad)|\[c\]"
)
_STEM = (
    r"(?:model|response|output|answer|assistant|completion|option|candidate|system|text|choice|"
    r"argument|summary|side|player|chatbot|human)"
)
_NAMED = re.compile(rf"(?:the )?(?:{_STEM}[ _\-]*)?(?P<which>[ab]|[012]|a1|a2)")
_BETTER = re.compile(
    r"(?P<who>.+?)[ _\-]+(?:(?:is|was)[ _\-]+)?(?:(?:slightly|somewhat|much|clearly|significantly|"
    r"far|a lot|a bit|moderately|marginally|considerably|substantially|strongly|definitely)"
    r"[ _\-]+)?(?:better|best|wins?|won|preferred)(?:[ _\-]+(?:than|over|to)[ _\-]+(?P<other>.+))?"
)
_COMPARED = re.compile(
    r"(?P<one>[^<>=≻≺≈~]+?)\s*(?P<sign>>+|<+|≻+|≺+|=+|≈|~)\s*(?P<other>[^<>=≻≺≈~]+)"
)


def word(text: str, sides: tuple[str, str]) -> float | None:
    """P(first preferred) that a word says: `a`, `model_b`, `[[A]]`, `A>>B`, `tie`; else None.

    It may be the name of one of the columns of the two responses, too.

    >>> word("Answer B", ("response_a", "response_b")), word("maybe", ("x_a", "x_b"))
    (0.0, None)
    """
    phrase = " ".join(text.split()).casefold()
    if phrase.startswith("[[") and phrase.endswith("]]"):
        phrase = phrase[2:-2].strip()
        phrase = "[c]" if phrase == "c" else phrase
    names = [side.casefold() for side in sides]
    if phrase in names:
        return float(phrase == names[0])
    if _TIES.fullmatch(re.sub(r"[ _\-()/,.]", "", phrase)):
        return 0.5
    if compared := _COMPARED.fullmatch(phrase):
        one = _against(compared["one"], compared["other"], names)
        sign = compared["sign"][0]
        return one if one is None or sign in ">≻" else 1 - one if sign in "<≺" else 0.5
    if compared := _BETTER.fullmatch(phrase):
        phrase = compared["who"].strip()
        if compared["other"] is not None:
            return _against(phrase, compared["other"], names)
    return _which(phrase, names)


def _against(one: str, other: str, names: list[str]) -> float | None:
    """Which response one name stands for, where another one stands for the other response."""
    first, second = _which(one.strip(), names), _which(other.strip(), names)
    return first if first is not None and second is not None and first + second == 1.0 else None


def _which(name: str, names: list[str]) -> float | None:
    """Which response a name stands for; numbers count from 0 where those of the columns do."""
    if name in names:
        return float(name == names[0])
    if name in _BARE:
        return _BARE[name]
    found = _NAMED.fullmatch(name)
    if found is None or (found["which"] == name and name in "012"):
        return None
    first, second = "01" if names[0].endswith("0") else "12"
    firsts, seconds = ("a", "a1", first), ("b", "a2", second)
    return 1.0 if found["which"] in firsts else 0.0 if found["which"] in seconds else None


#: What stands for the first response in a row, and what for the second: texts, names of models.
Claims = tuple[tuple[Any, ...], tuple[Any, ...]]

_TRUTHS = {"true": 1.0, "false": 0.0}


def as_number(value: object) -> float | None:
    """A finite number, from a number, a truth value or its text; None where it is something else.

    >>> as_number("2"), as_number(True), as_number("true"), as_number("two")
    (2.0, 1.0, 1.0, None)
    """
    if isinstance(value, str):
        text = value.strip().casefold()
        value = _TRUTHS.get(text, text)
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class Coding:
    """How the numbers of one label column are read; words are read by every coding."""

    name: str  #: as `codings` and `--coding` take it
    meaning: str  #: in words, `{a}` and `{b}` for the two responses
    #: P(first preferred) by number, for codes; None where a value stands for no label
    numbers: Mapping[float, float | None] = field(default_factory=dict)
    #: the numbers that stand for P = 0 and for P = 1, for those between
    ends: tuple[float, float] | None = None
    sign: int = 0  #: of the numbers for which the first is preferred, where only the sign counts
    #: P(first preferred) by value, of a table of the user's own
    texts: Mapping[str, float | None] = field(default_factory=dict)

    def decode(self, value: object, sides: tuple[str, str], claims: Claims) -> float | None:
        """P(first preferred) that a value says; None where it stands for no label.

        It may name the column of one of the two sides, or repeat what claims to be one in its row.

        Raises:
            DataError: it does not fit.
        """
        if isinstance(value, str) and value.strip().casefold() in self.texts:
            return self.texts[value.strip().casefold()]
        number = as_number(value)
        if number is not None:
            if number in self.numbers:
                return self.numbers[number]
            if self.sign:
                return higher(self.sign * number)
            if self.ends is None or not min(self.ends) <= number <= max(self.ends):
                raise DataError(f"{number:g} does not fit the coding {self.name!r}")
            none, whole = self.ends
            return abs(number - none) / abs(whole - none)
        found = said_by(value, sides, claims)
        if found is None:
            raise DataError(f"{describe(value)} does not say which response is preferred")
        return found

    def in_words(self, sides: tuple[str, str]) -> str:
        """The coding in words, with the names of the two responses' columns."""
        return self.meaning.format(a=sides[0], b=sides[1])


def said_by(value: object, sides: tuple[str, str], claims: Claims) -> float | None:
    """What a word says, or a text that stands for one of the two; None where both or neither."""
    if not isinstance(value, str):
        return None
    known = word(value, sides)
    first, second = (value in one for one in claims)
    repeats = None if first == second else float(first)
    if known is not None and repeats is not None and known != repeats:
        return None
    return repeats if known is None else known


def higher(one: float, other: float = 0.0) -> float:
    """P(first preferred) where the higher of two numbers is better, and equal ones are a tie."""
    return 0.5 if one == other else float(one > other)


_A, _B = "{a} preferred", "{b} preferred"
#: Every coding with a name.
CODINGS = {
    coding.name: coding
    for coding in (
        Coding("probability", f"1 = {_A}, 0 = {_B}, between them P({_A})", ends=(0, 1)),
        Coding("probability-of-second", f"0 = {_A}, 1 = {_B}, between them P({_B})", ends=(1, 0)),
        Coding("first-is-0", f"0 = {_A}, 1 = {_B}, 2 = a tie", {0: 1.0, 1: 0.0, 2: 0.5}),
        Coding("first-is-1", f"1 = {_A}, 2 = {_B}, 0 = a tie", {1: 1.0, 2: 0.0, 0: 0.5}),
        Coding("one-to-two", f"1 = {_A}, 2 = {_B}, between them 2 - P({_A})", ends=(2, 1)),
        Coding("positive-is-first", f"positive = {_A}, negative = {_B}, 0 = a tie", sign=1),
        Coding("negative-is-first", f"negative = {_A}, positive = {_B}, 0 = a tie", sign=-1),
    )
}

#: What a value stands for in a table of the user's own.
VERDICTS: dict[str, float | None] = {"a": 1.0, "b": 0.0, "tie": 0.5, "none": None}


def parse_coding(coding: object, column: str) -> Coding:
    """A coding by its name, or a table of values: `first-is-0`, `1:a,2:b,3:tie`, `{1: a, 2: b}`.

    Each value stands for `a`, `b`, `tie`, `none` or a probability of the first.

    Raises:
        ConfigurationError: neither.
    """
    if isinstance(coding, str) and ":" not in coding:
        if coding not in CODINGS:
            raise ConfigurationError(
                f"{unknown_name(f'coding of {column!r}:', coding, CODINGS)} Or give what each "
                "value stands for: 1:a,2:b,3:tie (a, b, tie, none, or a probability of the first)."
            )
        return CODINGS[coding]
    if isinstance(coding, str):
        pairs = [part.rpartition(":") for part in coding.split(",") if part.strip()]
        if not all(between for _, between, _ in pairs):
            raise ConfigurationError(
                f"the coding of {column!r} has a part without ':' in {coding!r}; values that hold "
                "a comma can be given as a mapping in a configuration and in Python."
            )
        coding = {value.strip(): verdict.strip() for value, _, verdict in pairs}
    if not isinstance(coding, Mapping) or not coding:
        raise ConfigurationError(
            f"the coding of {column!r} is a name ({', '.join(sorted(CODINGS))}) or what each value "
            f"stands for (1:a,2:b,3:tie); got {coding!r}."
        )
    texts = {str(value).strip().casefold(): _verdict(v, column) for value, v in coding.items()}
    numbers = {number: texts[v] for v in texts if (number := as_number(v)) is not None}
    meanings = ", ".join(f"{value} = {verdict}" for value, verdict in coding.items())
    meanings = meanings.replace("{", "{{").replace("}", "}}")
    name = ",".join(f"{value}:{verdict}" for value, verdict in coding.items())
    return Coding(name, f"{meanings} ({{a}} is a, {{b}} is b)", numbers, texts=texts)


def _verdict(value: object, column: str) -> float | None:
    said = "none" if value is None else str(value).strip().casefold()
    if said in VERDICTS:
        return VERDICTS[said]
    number = as_number(value)
    if number is None or not 0 <= number <= 1:
        raise ConfigurationError(
            f"a value of {column!r} stands for {', '.join(VERDICTS)}, or a probability of the "
            f"first in [0, 1]; got {json.dumps(value, default=str)}."
        )
    return number
