"""Figures of a table, and what became of the predictions that were made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from surefoot.demo.methods import Measure, Method, Word
from surefoot.report.words import Outcome, outcome
from surefoot.statistics import Comparison, Estimate, holm

#: Beside a difference whose interval leaves out 0.
MARKS: Mapping[str, str] = {"better": "▲", "longer": "▲", "worse": "▼", "shorter": "▼"}


@dataclass(frozen=True)
class Cell:
    """One figure.

    Attributes:
        value: the figure, its interval over seeds and test prompts.
        difference: paired, to the row that the method is compared with; None where there is none.
        outcome: what the difference says on its own, in the column's words.
    """

    value: Estimate
    difference: Comparison | None = None
    outcome: Outcome | Word | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "value": self.value.to_dict(),
            "difference": None if self.difference is None else self.difference.to_dict(),
            "outcome": self.outcome,
        }


class TableRow(Protocol):
    """A row of a table: a method and its figures by column, as far as they are measured."""

    @property
    def method(self) -> Method:
        """The method that the row is of."""

    @property
    def cells(self) -> Mapping[Any, Cell]:
        """Figures of the row, by column."""


@dataclass(frozen=True)
class Claim:
    """A prediction and what was found.

    Attributes:
        method: name of the row.
        against: name of the row that it is compared with.
        column: of the table.
        predicted: in the column's words.
        difference: paired.
        found: what its p-value says, Holm-adjusted over all predictions of the table.
        adjusted: that p-value; None where there is no test.
    """

    method: str
    against: str
    column: str
    predicted: Word
    difference: Comparison
    found: Outcome | Word
    adjusted: float | None

    @property
    def held(self) -> bool:
        """Whether the figures came out as predicted."""
        return self.found == self.predicted

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "method": self.method,
            "against": self.against,
            "column": self.column,
            "predicted": self.predicted,
            "found": self.found,
            "held": self.held,
            "difference": self.difference.to_dict(),
            "adjusted_p_value": self.adjusted,
        }


def claims_of(rows: Iterable[TableRow], columns: Mapping[Any, Measure]) -> tuple[Claim, ...]:
    """Every prediction that theory made, with what was found."""
    made = [
        (row.method, key, predicted, difference)
        for row in rows
        for key, predicted in row.method.predicted.items()
        if (difference := row.cells[key].difference) is not None
    ]
    tested = [i for i, (*_, one) in enumerate(made) if one.p_value is not None]
    p_values = holm([p for *_, one in made if (p := one.p_value) is not None])
    adjusted = dict(zip(tested, p_values.tolist(), strict=True))
    return tuple(
        Claim(
            method.name,
            method.against,
            key,
            predicted,
            difference,
            in_words(columns[key], outcome(difference, adjusted.get(i))),
            adjusted.get(i),
        )
        for i, (method, key, predicted, difference) in enumerate(made)
    )


def in_words(column: Measure, raw: Outcome) -> Outcome | Word:
    """What a comparison of a column says, given what it would say where more is better."""
    more, less = reversed(column.words) if column.lower_is_better else column.words
    words: dict[str, Word] = {"better": more, "worse": less}
    return words.get(raw, raw)


def described(columns: Mapping[Any, Measure]) -> dict[str, Any]:
    """The columns of a table, JSON-ready."""
    return {
        key: {
            "title": c.title,
            "meaning": c.meaning,
            "lower_is_better": c.lower_is_better,
            "words": list(c.words),
        }
        for key, c in columns.items()
    }
