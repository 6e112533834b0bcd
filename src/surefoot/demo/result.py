"""What the demo found: figures of tables, and what became of the predictions that were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from surefoot.data.checks import DamageReport
from surefoot.demo.methods import COLUMNS, Measure, Method, Word
from surefoot.demo.policies.methods import POLICY_COLUMNS
from surefoot.demo.policies.training import Completion
from surefoot.report.words import Outcome, outcome
from surefoot.statistics import Comparison, Estimate, holm
from surefoot.statistics.estimate import fields_ready, json_ready
from surefoot.worlds import TextWorld

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Cell:
    """One figure."""

    value: Estimate  #: with its interval over seeds and test prompts
    #: paired, to the row that the method is compared with; None where there is none
    difference: Comparison | None = None
    #: of the difference, corrected for the others of its table, in the column's words
    outcome: Outcome | Word | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return fields_ready(self)


@dataclass(frozen=True)
class Row:
    """A method's row of a table."""

    method: Method
    cells: Mapping[Any, Cell]  #: by column; what is not measured of the method is absent
    details: Mapping[str, Any]  #: further figures, by their names in `demo.json`

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            **fields_ready(self.method),
            "cells": json_ready(self.cells),
            **json_ready(self.details),
        }


@dataclass(frozen=True)
class Claim:
    """A prediction and what was found."""

    method: str  #: name of the row
    against: str  #: name of the row that it is compared with
    column: str
    predicted: Word  #: in the column's words
    difference: Comparison
    #: what its p-value says, Holm-adjusted over all predictions of the table
    found: Outcome | Word
    adjusted: float | None  #: that p-value; None where there is no test

    @property
    def held(self) -> bool:
        """Whether the figures came out as predicted."""
        return self.found == self.predicted

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        named = {"held": self.held, "adjusted_p_value": self.adjusted}
        return fields_ready(self, "adjusted") | named


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Methods that were compared in a world, over seeds."""

    columns: ClassVar[Mapping[Any, Measure]]

    world: TextWorld  #: with its truth
    seeds: int  #: draws of training pairs and labels; every method was trained on each
    rows: tuple[Row, ...]  #: what the others are compared with comes first
    notes: Mapping[str, tuple[str, ...]]  #: warnings, with the methods that were given them

    def __post_init__(self) -> None:
        """Say of every difference what it shows, once the whole table is known.

        Predictions share one error rate (Holm), and the differences that nobody predicted another.
        """
        words = {(claim.method, claim.column): claim.found for claim in self.claims}
        rest = {
            (row.method.name, key): cell.difference
            for row in self.rows
            for key, cell in row.cells.items()
            if cell.difference is not None and (row.method.name, key) not in words
        }
        tested = {at: one.p_value for at, one in rest.items() if one.p_value is not None}
        adjusted = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
        for at, one in rest.items():
            words[at] = in_words(self.columns[at[1]], outcome(one, adjusted.get(at)))
        rows = tuple(
            replace(
                row,
                cells={
                    key: replace(cell, outcome=words.get((row.method.name, key)))
                    for key, cell in row.cells.items()
                },
            )
            for row in self.rows
        )
        object.__setattr__(self, "rows", rows)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every prediction that theory made, with what was found."""
        made = [
            (row.method, key, predicted, difference)
            for row in self.rows
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
                in_words(self.columns[key], outcome(difference, adjusted.get(i))),
                adjusted.get(i),
            )
            for i, (method, key, predicted, difference) in enumerate(made)
        )

    def row(self, name: str) -> Row:
        """The row of a method, by its name."""
        return next(row for row in self.rows if row.method.name == name)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "world": self.world.model_dump(mode="json"),
            "seeds": self.seeds,
            "columns": {key: fields_ready(c, "digits") for key, c in self.columns.items()},
            "rows": json_ready(self.rows),
            "claims": json_ready(self.claims),
            "warnings": json_ready(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class PolicyResult(Compared):
    """Policies, the supervised model first."""

    columns = POLICY_COLUMNS

    options: Mapping[str, Any]  #: of training and of writing
    parameters: int  #: of the model
    supervised_loss: float  #: at the end of supervised training, in nats a token
    samples: Mapping[str, tuple[Completion, ...]]  #: responses of the first seed, by method

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        own = ("options", "parameters", "supervised_loss")
        return super().to_dict() | {name: json_ready(getattr(self, name)) for name in own}


@dataclass(frozen=True, kw_only=True)
class DemoResult(Compared):
    """Reward models, plain first, with what they rest on, and policies."""

    columns = COLUMNS

    damage: DamageReport  #: what the checks found in the first draw
    planted: dict[str, int]  #: how many damaged rows there were to find, by kind
    seconds: dict[str, float]  #: time that each part took
    policies: PolicyResult | None = None
    no_policies: str = ""  #: why there are none

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        own = ("damage", "policies", "no_policies", "seconds")
        return {
            "schema_version": SCHEMA_VERSION,
            **super().to_dict(),
            **{name: json_ready(getattr(self, name)) for name in own},
            "damage_planted": self.planted,
        }


def in_words(column: Measure, raw: Outcome) -> Outcome | Word:
    """What a comparison of a column says, given what it would say where more is better."""
    more, less = reversed(column.words) if column.lower_is_better else column.words
    words: dict[str, Word] = {"better": more, "worse": less}
    return words.get(raw, raw)
