"""What the checks say: findings with their rows, what they mean and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surefoot.arrays import Ints
from surefoot.data.reading.account import Reading
from surefoot.data.rendering.notes import Severity
from surefoot.data.schema import Preferences
from surefoot.statistics.estimate import Result, fields_ready

#: Version of :meth:`DamageReport.to_dict`.
SCHEMA_VERSION = 1

_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class ExampleRow(Result):
    """One of the rows that a finding is about."""

    file: str
    row: int
    excerpt: str


@dataclass(frozen=True)
class Finding:
    """One kind of damage."""

    kind: str  #: the same in every report
    severity: Severity
    """`error` (training on it does harm), `warning` (look at it) or `note` (know it)."""
    count: int  #: of rows
    share: float  #: of all rows, in [0, 1]
    examples: tuple[ExampleRow, ...]  #: the first few of the rows
    meaning: str  #: what was found and why it matters
    remedy: str  #: what to do
    positions: Ints = field(
        default_factory=lambda: np.empty(0, np.int64), repr=False, compare=False
    )
    """Of the rows in the data, shape (count,); empty for rows that could not be read."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form: everything but the positions."""
        return fields_ready(self, "positions")


@dataclass(frozen=True)
class DamageReport:
    """All findings, the gravest first; what could not be checked and why; how files were read."""

    name: str
    rows: int
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    readings: tuple[Reading, ...] = ()

    def of(self, kind: str) -> Finding | None:
        """The finding of this kind, if there is one (the first, where several files have it)."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {"schema_version": SCHEMA_VERSION, **fields_ready(self)}

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.rows} rows, {len(self.findings)} findings"]
        lines += [
            f"  {f.severity:7} {f.kind}: {f.count} ({f.share:.2%}). {f.meaning} {f.remedy}"
            for f in self.findings
        ]
        return "\n".join([*lines, *(f"  not checked: {reason}" for reason in self.unchecked)])


def without(preferences: Preferences, findings: Iterable[Finding]) -> Preferences:
    """The rows that none of these findings is about (of two equal rows, the first is kept)."""
    kept = np.ones(len(preferences), dtype=bool)
    for finding in findings:
        kept[finding.positions] = False
    return preferences.select(np.flatnonzero(kept))


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first, then the most frequent."""
    return tuple(sorted(findings, key=lambda f: (_ORDER[f.severity], -f.count, f.kind)))
