"""What the demo found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from surefoot.data.checks import DamageReport
from surefoot.demo.methods import COLUMNS, ColumnKey, Method
from surefoot.demo.policy_result import PolicyResult
from surefoot.report.words import Outcome, outcome
from surefoot.statistics import Calibration, Comparison, Estimate, holm
from surefoot.worlds import TextWorld

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Cell:
    """One figure of the table.

    Attributes:
        value: the figure, its interval over seeds and test prompts.
        against_plain: paired difference to plain; None in plain's own row.
        outcome: what that difference says on its own; None in plain's own row.
    """

    value: Estimate
    against_plain: Comparison | None = None
    outcome: Outcome | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        against = None if self.against_plain is None else self.against_plain.to_dict()
        return {
            "value": self.value.to_dict(),
            "against_plain": against,
            "outcome": self.outcome,
        }


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        method: what it is.
        cells: by column.
        weight_on_rare: worst-case weight on the rare group's training pairs, over seeds.
        weight_on_flipped: the same on pairs whose label was flipped.
        calibration: of its probabilities against the truth, pairs as in training.
    """

    method: Method
    cells: dict[ColumnKey, Cell]
    weight_on_rare: Estimate
    weight_on_flipped: Estimate
    calibration: Calibration

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "name": self.method.name,
            "objective": dict(self.method.objective),
            "theory": self.method.theory,
            "predicted": dict(self.method.predicted),
            "cells": {key: cell.to_dict() for key, cell in self.cells.items()},
            "weight_on_rare_group": self.weight_on_rare.to_dict(),
            "weight_on_flipped_labels": self.weight_on_flipped.to_dict(),
            "calibration": self.calibration.to_dict(),
        }


@dataclass(frozen=True)
class Claim:
    """A prediction and what was found.

    Attributes:
        method: name of the row.
        column: of the table.
        predicted: against plain.
        against_plain: the paired difference.
        adjusted: its p-value, Holm-adjusted over all predictions; None where there is no test.
    """

    method: str
    column: ColumnKey
    predicted: Literal["better", "worse"]
    against_plain: Comparison
    adjusted: float | None

    @property
    def found(self) -> Outcome:
        """What the adjusted test says."""
        return outcome(self.against_plain, self.adjusted, COLUMNS[self.column].lower_is_better)

    @property
    def held(self) -> bool:
        """Whether it came out as predicted."""
        return self.found == self.predicted

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "method": self.method,
            "column": self.column,
            "predicted": self.predicted,
            "found": self.found,
            "held": self.held,
            "against_plain": self.against_plain.to_dict(),
            "adjusted_p_value": self.adjusted,
        }


@dataclass(frozen=True)
class DemoResult:
    """The demo's table and what it rests on.

    Attributes:
        world: the world, with its truth.
        seeds: number of draws of training pairs and labels.
        rows: plain first.
        damage: what the checks found in the first draw.
        planted: how many damaged rows there were to find, by kind.
        seconds: time that each part took.
        policies: the policy part; None where it was left out, and then `no_policies` says why.
    """

    world: TextWorld
    seeds: int
    rows: tuple[Row, ...]
    damage: DamageReport
    planted: dict[str, int]
    seconds: dict[str, float]
    policies: PolicyResult | None = None
    no_policies: str = ""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every prediction that theory made, with what was found."""
        made = [
            (row.method.name, column, predicted, against)
            for row in self.rows
            for column, predicted in row.method.predicted.items()
            if (against := row.cells[column].against_plain) is not None
        ]
        tested = [i for i, (*_, against) in enumerate(made) if against.p_value is not None]
        p_values = holm([p for *_, against in made if (p := against.p_value) is not None])
        adjusted = dict(zip(tested, p_values.tolist(), strict=True))
        return tuple(Claim(*claim, adjusted.get(i)) for i, claim in enumerate(made))

    def row(self, name: str) -> Row:
        """The row of a method."""
        return next(row for row in self.rows if row.method.name == name)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "schema_version": SCHEMA_VERSION,
            "world": self.world.model_dump(mode="json"),
            "seeds": self.seeds,
            "columns": {
                key: {"title": c.title, "meaning": c.meaning, "lower_is_better": c.lower_is_better}
                for key, c in COLUMNS.items()
            },
            "rows": [row.to_dict() for row in self.rows],
            "claims": [claim.to_dict() for claim in self.claims],
            "damage": self.damage.to_dict(),
            "damage_planted": self.planted,
            "policies": None if self.policies is None else self.policies.to_dict(),
            "no_policies": self.no_policies,
            "seconds": self.seconds,
        }
