"""What the demo found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.data.checks import DamageReport
from surefoot.demo.claims import Cell, Claim, claims_of, described
from surefoot.demo.methods import COLUMNS, ColumnKey, Method
from surefoot.demo.policies.result import PolicyResult
from surefoot.statistics import Calibration, Estimate
from surefoot.worlds import TextWorld

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Row:
    """A method's row of the table.

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
            "objective": dict(self.method.objective or {}),
            "calibrated_for": self.method.calibrated_for,
            "against": self.method.against,
            "theory": self.method.theory,
            "predicted": dict(self.method.predicted),
            "cells": {key: cell.to_dict() for key, cell in self.cells.items()},
            "weight_on_rare_group": self.weight_on_rare.to_dict(),
            "weight_on_flipped_labels": self.weight_on_flipped.to_dict(),
            "calibration": self.calibration.to_dict(),
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
        notes: warnings of the fits, with the methods that they were given to.
        policies: the policy part; None where it was left out, and then `no_policies` says why.
    """

    world: TextWorld
    seeds: int
    rows: tuple[Row, ...]
    damage: DamageReport
    planted: dict[str, int]
    seconds: dict[str, float]
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policies: PolicyResult | None = None
    no_policies: str = ""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every prediction that theory made, with what was found."""
        return claims_of(self.rows, COLUMNS)

    def row(self, name: str) -> Row:
        """The row of a method, by its name."""
        return next(row for row in self.rows if row.method.name == name)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "schema_version": SCHEMA_VERSION,
            "world": self.world.model_dump(mode="json"),
            "seeds": self.seeds,
            "columns": described(COLUMNS),
            "rows": [row.to_dict() for row in self.rows],
            "claims": [claim.to_dict() for claim in self.claims],
            "warnings": {note: list(given) for note, given in self.notes.items()},
            "damage": self.damage.to_dict(),
            "damage_planted": self.planted,
            "policies": None if self.policies is None else self.policies.to_dict(),
            "no_policies": self.no_policies,
            "seconds": self.seconds,
        }
