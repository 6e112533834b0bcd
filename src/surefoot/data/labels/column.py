"""The coding of a label column, decided once, from all of its values."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from surefoot.data.labels.codings import CODINGS, Claims, Coding, as_number, said_by
from surefoot.data.text import describe, start_of
from surefoot.errors import DataError

#: Numbers that are kept; a column with more is one of measurements, not of codes.
_DISTINCT = 64
#: Values of which a message shows how what they stand for is given.
_VALUES = 8
#: Values kept as examples of what nothing reads.
_EXAMPLES = 3

#: Codings of strengths, whose sign says which response is better.
_SIGNED = ("negative-is-first", "positive-is-first")
#: The strongest preference on the scales of such strengths, from -3 to 3.
_STRONGEST = 3

#: Names of columns that hold the place of the better response, not a probability.
_INDEX = re.compile(r"(?:^|[_\W])(?:index|idx|id|ids|position|pos)(?:$|[_\W])", re.IGNORECASE)
_CHOICE = re.compile(
    r"winner|choice|chosen|selected|picked|better|best|vote|verdict", re.IGNORECASE
)
#: How strong a preference is, without which way it goes.
_STRENGTH = re.compile(r"strength|margin|confidence|degree", re.IGNORECASE)
#: Names that make a 1 stand for something else than the first response, or leave it open.
_ASKED = re.compile(
    rf"rank|place|swap|flip|revers|order|{_STRENGTH.pattern}"
    r"|(?:^|[_\W])(?:b|second|right|latter)(?:$|[_\W])",
    re.IGNORECASE,
)
#: Names of columns that hold the worse response.
_WORSE = re.compile(
    r"loser|losing|lost|worse|worst|reject|dispref|inferior|(?:not|non|un)_?(?:pref|chosen|select)",
    re.IGNORECASE,
)


class ExampleValue(NamedTuple):
    """A value, the row that it stands in, and what stands for the two responses there."""

    value: Any
    row: int
    claims: Claims


@dataclass
class LabelColumn:
    """Values of one label column, in bounded memory."""

    column: str  #: its name, as messages and `codings` call it
    theirs: str  #: the user's name of it
    mapped: bool  #: the user said that this column is the one
    sides: tuple[str, str]  #: the columns of the two responses
    named: tuple[str, str]  #: the user's names of these
    usual: str = ""  #: coding that the form documents for this column
    needed: bool = False  #: some row has no label without it
    among: set[str] = field(default_factory=set)  #: columns that hold its values, coded alike
    #: the numbers in it and where each stands first; of many, some and the ends
    numbers: dict[float, ExampleValue] = field(default_factory=dict)
    true_or_false: bool = True  #: all of them are truth values, or texts of these
    #: values that say which response is preferred, by what they say
    words: dict[float, ExampleValue] = field(default_factory=dict)
    odd: list[ExampleValue] = field(default_factory=list)  #: values that say nothing

    def add(self, value: Any, row: int, claims: Claims) -> None:
        """Note a value of the column."""
        number, example = as_number(value), ExampleValue(value, row, claims)
        repeats = isinstance(value, str) and (value in claims[0]) != (value in claims[1])
        if number is not None and not repeats:
            self._add_number(number, example)
        elif number is None and (said := said_by(value, self.named, claims)) is not None:
            self.words.setdefault(said, example)
        elif len(self.odd) < _EXAMPLES and value not in [one.value for one in self.odd]:
            self.odd.append(example)  # a number here: a code, or the text of a response?

    def _add_number(self, number: float, example: ExampleValue) -> None:
        if self.true_or_false:
            self.true_or_false = str(example.value).strip().casefold() in ("true", "false")
        if number in self.numbers:
            return
        if len(self.numbers) >= _DISTINCT:
            if self.low < number < self.high:
                return
            del self.numbers[self.low if number < self.low else self.high]
        self.numbers[number] = example

    @property
    def low(self) -> float:
        """The least number."""
        return min(self.numbers)

    @property
    def high(self) -> float:
        """The greatest number."""
        return max(self.numbers)

    @property
    def whole(self) -> bool:
        """Whether they are whole numbers."""
        return all(number == int(number) for number in self.numbers)

    @property
    def numbering(self) -> str:
        """Whether the responses are numbered from `0` or from `1`; else `letters`."""
        last = self.sides[0].strip()[-1:]
        return last if last in "01" and last else "letters"

    def shown(self) -> str:
        """The values in words, for a message."""
        shown = sorted(self.numbers)
        if len(shown) > 6:
            kind = "whole numbers" if self.whole else "numbers"
            return f"{kind} from {self.low:g} to {self.high:g}"
        return ", ".join(f"{n:g} (row {self.numbers[n].row})" for n in shown)


#: Used where a column holds words alone.
WORDS = Coding("words", "words that name the preferred response")


def decide(seen: LabelColumn, codings: Mapping[str, Coding], place: str) -> Coding:
    """The coding of a column: the one that the user gave, or the only one that its values allow.

    Raises:
        DataError: several codings would do, or none does; the message names those that would and
            how to choose one.
    """
    chosen = codings.get(seen.column) or codings.get(seen.theirs)
    if chosen is not None:
        why = _misfit(seen, chosen)
        if not why:
            return chosen
    elif seen.odd:
        shown = "; ".join(f"row {one.row}: {describe(one.value)}" for one in seen.odd)
        why = f"holds values that do not say which response is preferred ({shown})."
    elif _WORSE.search(seen.theirs):
        why = "seems to hold the response that is worse."
    elif not seen.numbers:
        return WORDS
    else:
        found = _fitting(seen)
        if len(found) == 1:
            return CODINGS[found[0]]
        why = _ambiguity(seen, found)
    raise DataError(f"{place}: the column {seen.theirs!r} {why} {_table(seen)}")


def _misfit(seen: LabelColumn, chosen: Coding) -> str:
    """The first value that the user's coding does not read; empty where it reads all."""
    for example in (*seen.numbers.values(), *seen.odd):
        try:
            chosen.decode(example.value, seen.named, example.claims)
        except DataError as error:
            return (
                f"was said to be coded as {chosen.name!r} ({chosen.in_words(seen.named)}), but row "
                f"{example.row} holds {error}."
            )
    return ""


def _fitting(seen: LabelColumn) -> list[str]:
    """Codings that the values allow: one, or several between which the user has to decide.

    The coding that a form documents needs its highest code, or a strength below 0: without it the
    numbers may be a scale.
    """
    usual = CODINGS.get(seen.usual)
    if usual is None:
        return _general(seen)
    if usual.sign:
        if seen.low < 0:
            return [usual.name]
        if seen.high <= _STRONGEST:
            return list(dict.fromkeys((usual.name, *(_general(seen) or _SIGNED))))
    elif usual.numbers:
        if seen.numbers.keys() <= usual.numbers.keys() and max(usual.numbers) in seen.numbers:
            return [usual.name]
    elif usual.ends and min(usual.ends) <= seen.low and seen.high <= max(usual.ends):
        return [usual.name]
    return _general(seen)


def _general(seen: LabelColumn) -> list[str]:
    """Codings that the values allow, whatever the form documents."""
    if seen.low < 0:
        return list(_SIGNED)
    if seen.high <= 1:
        return _within_one(seen)
    if seen.high > 2 or _STRENGTH.search(seen.theirs):
        return []
    from_zero = seen.numbering == "0"
    if not seen.whole:
        return ["one-to-two"] if seen.low >= 1 and not from_zero else []
    if seen.low >= 1:
        return ["first-is-1", "first-is-0"] if from_zero else ["first-is-1"]
    named = _INDEX.search(seen.theirs) or _CHOICE.search(seen.theirs)
    return ["first-is-0"] if from_zero and named else ["first-is-0", "first-is-1"]


def _within_one(seen: LabelColumn) -> list[str]:
    """Codings of numbers in [0, 1]."""
    chances = ["probability", "probability-of-second"]
    documented = seen.column in ("label", "labels") and (seen.mapped or seen.numbering == "letters")
    index, choice, asked = (one.search(seen.theirs) for one in (_INDEX, _CHOICE, _ASKED))
    if documented and not (index or choice or asked):
        return ["probability"]
    if not seen.whole or seen.true_or_false:
        return chances
    if seen.numbering == "0" and (index or choice) and not asked:
        return ["first-is-0"]
    if seen.numbers.keys() == {1.0} and seen.numbering == "1" and not index and not choice:
        return ["first-is-1"]
    if index and 0.0 in seen.numbers and not seen.mapped:
        return ["first-is-0"]
    return ["first-is-0", "first-is-1" if index and 0.0 not in seen.numbers else "probability"]


def _ambiguity(seen: LabelColumn, names: list[str]) -> str:
    """What the values leave open, and how to choose a coding."""
    if not names:
        return (
            f"holds {seen.shown()}: codes or strengths, not probabilities, and nothing says which "
            "response they are for."
        )
    lines = [f"  --coding {seen.column}={n}   {CODINGS[n].in_words(seen.named)}" for n in names]
    return (
        f"holds {seen.shown()}, which can be read in more than one way. Say which it is:\n"
        + "\n".join(lines)
        + f"\n(`codings: {{{seen.column}: {names[0]}}}` in the data section of a configuration, "
        f"codings={{'{seen.column}': '{names[0]}'}} in Python.)"
    )


def _table(seen: LabelColumn) -> str:
    if any(isinstance(one.value, list | Mapping) for one in seen.odd):
        return f"Write it as a number or a word, or leave it out: --column {seen.column}="
    words = [str(one.value) for one in (*seen.odd, *seen.words.values())]
    values = [f"{n:g}" for n in sorted(seen.numbers)] or words
    more = ",..." if len(values) > _VALUES else ""
    option = f"{seen.column}=" + ",".join(f"{value}:?" for value in values[:_VALUES]) + more
    said = f"--coding {shlex.quote(option)}"
    if any("," in value for value in values):
        table = json.dumps(dict.fromkeys(values[:_VALUES], "?"), ensure_ascii=False)
        said = f"codings: {{{seen.column}: {table}}} in the data section of a configuration"
    return (
        f"What each value stands for can be given one by one: {said}, where each ? is a, b, tie, "
        "none (no label), or a probability of the first."
    )


def sentence(seen: LabelColumn, coding: Coding) -> str:
    """How a column was read, with an example row."""
    said = ""
    for value, row, claims in (*seen.words.values(), *seen.numbers.values()):
        found = coding.decode(value, seen.named, claims)
        if found in (0.0, 1.0):
            side = 1 - int(found)
            text = claims[side][0]
            shown = f" {start_of(text, 40)!r}" if isinstance(text, str) else ""
            said = f" (row {row}: {value!r}, so {seen.named[side]}{shown})"
            break
        said = said or f" (row {row}: {value!r})"
    return f"{seen.theirs}: {coding.in_words(seen.named)}{said}"
