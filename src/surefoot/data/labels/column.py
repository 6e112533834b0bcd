"""The coding of a label column, decided once, from all of its values."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

from surefoot.data.labels.codings import CODINGS, Claims, Coding, as_number, said_by
from surefoot.data.text import describe, start_of
from surefoot.errors import DataError

#: Distinct numbers that are kept; a column with more is one of measurements, not of codes.
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


class LabelColumn:
    """Values of one label column, in bounded memory.

    Args:
        column: its name, as messages and `codings` call it.
        theirs: the user's name of it.
        mapped: the user said that this column is the one.
        sides: the columns of the two responses.
        named: the user's names of these.
        usual: coding that the form documents for this column.

    Attributes:
        needed: some row has no label without it.
        among: the columns that hold its values, where several are coded alike.
    """

    def __init__(
        self,
        column: str,
        their_name: str,
        mapped: bool,
        sides: tuple[str, str],
        named: tuple[str, str],
        usual: str = "",
    ) -> None:
        self.column, self.theirs, self.mapped = column, their_name, mapped
        self.sides, self.named, self.usual = sides, named, usual
        self.numbers: dict[float, ExampleValue] = {}
        self.low, self.high = math.inf, -math.inf
        self.edges: dict[str, ExampleValue] = {}
        self.whole = True
        self.true_or_false = True
        self.needed = False
        self.among: set[str] = set()
        self.odd: list[ExampleValue] = []
        self.examples: dict[float, ExampleValue] = {}
        self._known: set[Any] = set()

    def add(self, value: Any, row: int, claims: Claims) -> None:
        """Note a value of the column."""
        number, example = as_number(value), ExampleValue(value, row, claims)
        is_text = isinstance(value, str)
        if number is not None and is_text and (value in claims[0]) != (value in claims[1]):
            self.odd = [*self.odd, example][:_EXAMPLES]  # a code, or the text of a response?
            return
        key = (type(value), value) if isinstance(value, str | int | float) else None
        if key in self._known:
            return
        if number is None:
            verdict = said_by(value, self.named, claims)
            if verdict is None and len(self.odd) < _EXAMPLES:
                self.odd.append(example)
                self._known.add(key)
            elif verdict is None:
                return
            else:
                self.examples.setdefault(verdict, example)
            return
        if len(self._known) < _DISTINCT:
            self._known.add(key)
        if not isinstance(value, bool) and str(value).strip().casefold() not in ("true", "false"):
            self.true_or_false = False
        if number < self.low:
            self.low, self.edges["low"] = number, example
        if number > self.high:
            self.high, self.edges["high"] = number, example
        self.whole = self.whole and number == int(number)
        if number not in self.numbers and len(self.numbers) < _DISTINCT:
            self.numbers[number] = example

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
        return _checked(seen, chosen, place)
    if seen.odd:
        raise DataError(_odd(seen, place))
    if _WORSE.search(seen.theirs):
        what = "seems to hold the response that is worse"
        raise DataError(f"{place}: the column {seen.theirs!r} {what}. {_table(seen)}")
    if not seen.numbers:
        return WORDS
    found = _fitting(seen)
    if len(found) == 1:
        return CODINGS[found[0]]
    raise DataError(_ambiguous(seen, found, place))


def _checked(seen: LabelColumn, chosen: Coding, place: str) -> Coding:
    """The user's coding, which every value has to fit."""
    examples = [*seen.numbers.values(), *seen.edges.values(), *seen.odd]
    for example in examples:
        try:
            chosen.decode(example.value, seen.named, example.claims)
        except DataError as error:
            raise DataError(
                f"{place}: the column {seen.theirs!r} was said to be coded as {chosen.name!r} "
                f"({chosen.in_words(seen.named)}), but row {example.row} holds {error}. "
                f"{_table(seen)}"
            ) from None
    return chosen


def _fitting(seen: LabelColumn) -> list[str]:
    """Codings that the values allow: one, or several between which the user has to decide."""
    values = set(seen.numbers)
    if seen.usual and _usual_fits(seen, values):
        return [seen.usual]
    if seen.low >= 0 and seen.high <= _STRONGEST and seen.usual in _SIGNED:
        return list(dict.fromkeys((seen.usual, *(_general(seen) or _SIGNED))))
    return _general(seen)


def _general(seen: LabelColumn) -> list[str]:
    """Codings that the values allow, whatever the form documents."""
    if seen.low < 0:
        return list(_SIGNED)
    values = set(seen.numbers)
    if seen.high > 2:
        return []
    if seen.high <= 1:
        return _within_one(seen, values)
    from_zero = seen.numbering == "0"
    if _STRENGTH.search(seen.theirs):
        return []
    if not seen.whole:
        return ["one-to-two"] if seen.low >= 1 and not from_zero else []
    if seen.low >= 1:
        return ["first-is-1", "first-is-0"] if from_zero else ["first-is-1"]
    named = _INDEX.search(seen.theirs) or _CHOICE.search(seen.theirs)
    return ["first-is-0"] if from_zero and named else ["first-is-0", "first-is-1"]


def _usual_fits(seen: LabelColumn, values: set[float]) -> bool:
    """Whether a form's own coding of a column explains its values.

    Codes need their highest, and strengths one below 0: without it they may be a scale.
    """
    coding = CODINGS[seen.usual]
    if seen.usual in _SIGNED:
        return seen.low < 0
    if coding.numbers:
        return values <= set(coding.numbers) and max(coding.numbers) in values
    return coding.low <= seen.low and seen.high <= coding.high


def _within_one(seen: LabelColumn, values: set[float]) -> list[str]:
    """Codings of numbers in [0, 1]."""
    chances = ["probability", "probability-of-second"]
    documented = seen.column in ("label", "labels") and (seen.mapped or seen.numbering == "letters")
    index, choice, asked = (one.search(seen.theirs) for one in (_INDEX, _CHOICE, _ASKED))
    if documented and not (index or choice or asked):
        return ["probability"]
    if not seen.whole:
        return chances
    if seen.true_or_false:
        return chances
    if seen.numbering == "0" and (index or choice) and not asked:
        return ["first-is-0"]
    if values == {1.0} and seen.numbering == "1" and not index and not choice:
        return ["first-is-1"]
    if index and 0.0 in values and not seen.mapped:
        return ["first-is-0"]
    return ["first-is-0", "first-is-1" if index and 0.0 not in values else "probability"]


def _odd(seen: LabelColumn, place: str) -> str:
    shown = "; ".join(f"row {one.row}: {describe(one.value)}" for one in seen.odd)
    return (
        f"{place}: the column {seen.theirs!r} holds values that do not say which response is "
        f"preferred ({shown}). {_table(seen)}"
    )


def _ambiguous(seen: LabelColumn, names: list[str], place: str) -> str:
    if not names:
        return (
            f"{place}: the column {seen.theirs!r} holds {seen.shown()}: codes or strengths, not "
            f"probabilities, and nothing says which response they are for. {_table(seen)}"
        )
    lines = [f"  --coding {seen.column}={n}   {CODINGS[n].in_words(seen.named)}" for n in names]
    return (
        f"{place}: the column {seen.theirs!r} holds {seen.shown()}, which can be read in more than "
        "one way. Say which it is:\n"
        + "\n".join(lines)
        + f"\n(`codings: {{{seen.column}: {names[0]}}}` in the data section of a configuration, "
        f"codings={{'{seen.column}': '{names[0]}'}} in Python.) {_table(seen)}"
    )


def _table(seen: LabelColumn) -> str:
    if any(isinstance(one.value, list | Mapping) for one in seen.odd):
        return f"Write it as a number or a word, or leave it out: --column {seen.column}="
    words = [str(one.value) for one in (*seen.odd, *seen.examples.values())]
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
    examples = [*seen.examples.values(), *seen.numbers.values()]
    for example in examples:
        found = coding.decode(example.value, seen.named, example.claims)
        if found in (0.0, 1.0):
            side = 0 if found == 1.0 else 1
            text = example.claims[side][0]
            shown = f" {start_of(text, 40)!r}" if isinstance(text, str) else ""
            said = f" (row {example.row}: {example.value!r}, so {seen.named[side]}{shown})"
            break
    else:
        said = f" (row {examples[0].row}: {examples[0].value!r})" if examples else ""
    return f"{seen.theirs}: {coding.in_words(seen.named)}{said}"
