"""What the policy part found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.demo.claims import Cell, Claim, claims_of, described
from surefoot.demo.methods import Method
from surefoot.demo.policies.methods import POLICY_COLUMNS, PolicyKey
from surefoot.statistics import Estimate
from surefoot.worlds import TextWorld
from surefoot.worlds.generation import Completion


@dataclass(frozen=True)
class PolicyRow:
    """A method's row of the policies' table.

    Attributes:
        method: what it is.
        cells: by column; what is not measured of it is absent.
        written: what its responses are made of: sentences of content, filler and content said
            again, share of sentences that the world has, share of responses that ended.
    """

    method: Method
    cells: Mapping[PolicyKey, Cell]
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
        notes: warnings of the trainings, with the methods that they were given to.
    """

    world: TextWorld
    seeds: int
    options: Mapping[str, Any]
    rows: tuple[PolicyRow, ...]
    parameters: int
    supervised_loss: float
    samples: Mapping[str, tuple[Completion, ...]]
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every prediction, with what was found."""
        return claims_of(self.rows, POLICY_COLUMNS)

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
            "columns": described(POLICY_COLUMNS),
            "rows": [row.to_dict() for row in self.rows],
            "claims": [claim.to_dict() for claim in self.claims],
            "warnings": {note: list(given) for note, given in self.notes.items()},
        }
