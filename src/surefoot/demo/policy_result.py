"""What the policy part found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.demo.generation import Written
from surefoot.demo.policy_methods import POLICY_COLUMNS, PolicyKey, PolicyMethod, Word
from surefoot.report.words import Outcome, outcome
from surefoot.statistics import Comparison, Estimate, holm
from surefoot.worlds import TextWorld


@dataclass(frozen=True)
class PolicyCell:
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


@dataclass(frozen=True)
class PolicyRow:
    """One method.

    Attributes:
        method: what it is.
        cells: by column; what is not measured of it is absent.
        written: what its responses are made of: sentences of content, filler and content said
            again, share of sentences that the world has, share of responses that ended.
    """

    method: PolicyMethod
    cells: Mapping[PolicyKey, PolicyCell]
    written: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        method = self.method
        return {
            "name": method.name,
            "objective": None if method.objective is None else dict(method.objective),
            "against": method.against,
            "theory": method.theory,
            "predicted": dict(method.predicted),
            "cells": {key: cell.to_dict() for key, cell in self.cells.items()},
            "written": {name: one.to_dict() for name, one in self.written.items()},
        }


@dataclass(frozen=True)
class PolicyClaim:
    """A prediction and what was found.

    Attributes:
        method: name of the row.
        against: name of the row that it is compared with.
        column: of the table.
        predicted: in the column's words.
        difference: paired.
        found: what its p-value says, Holm-adjusted over all predictions.
        adjusted: that p-value; None where there is no test.
    """

    method: str
    against: str
    column: PolicyKey
    predicted: Word
    difference: Comparison
    found: Outcome | Word
    adjusted: float | None

    @property
    def held(self) -> bool:
        """Whether it came out as predicted."""
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


@dataclass(frozen=True)
class PolicyResult:
    """The policies' table and what it rests on.

    Attributes:
        world: the questions and answers.
        seeds: number of models, and of draws of training pairs and labels.
        options: of training and of writing.
        rows: the supervised model first.
        parameters: of the model.
        supervised_loss: at the end of supervised training, in nats a token.
        samples: responses of the first seed, by method.
    """

    world: TextWorld
    seeds: int
    options: Mapping[str, Any]
    rows: tuple[PolicyRow, ...]
    parameters: int
    supervised_loss: float
    samples: Mapping[str, tuple[Written, ...]]

    @property
    def claims(self) -> tuple[PolicyClaim, ...]:
        """Every prediction, with what was found."""
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
            PolicyClaim(
                method.name,
                method.against,
                key,
                predicted,
                difference,
                in_words(key, outcome(difference, adjusted.get(i))),
                adjusted.get(i),
            )
            for i, (method, key, predicted, difference) in enumerate(made)
        )

    def row(self, name: str) -> PolicyRow:
        """The row of a method."""
        return next(row for row in self.rows if row.method.name == name)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "world": self.world.model_dump(mode="json"),
            "seeds": self.seeds,
            "options": dict(self.options),
            "parameters": self.parameters,
            "supervised_loss": self.supervised_loss,
            "columns": {
                key: {
                    "title": c.title,
                    "meaning": c.meaning,
                    "lower_is_better": c.lower_is_better,
                    "words": list(c.words),
                }
                for key, c in POLICY_COLUMNS.items()
            },
            "rows": [row.to_dict() for row in self.rows],
            "claims": [claim.to_dict() for claim in self.claims],
        }


def in_words(key: PolicyKey, found: Outcome) -> Outcome | Word:
    """What a comparison of a column says, given what it would say where more is better."""
    column = POLICY_COLUMNS[key]
    more, less = reversed(column.words) if column.lower_is_better else column.words
    words: dict[str, Word] = {"better": more, "worse": less}  # type: ignore[dict-item]
    return words.get(found, found)
