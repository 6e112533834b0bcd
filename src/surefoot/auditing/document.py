"""The form of `audit.json`: what its fields are called, hold and mean.

`audit.schema.json`, beside this file, is its JSON schema, for those who read it without surefoot:
`python -m surefoot.auditing.document > src/surefoot/auditing/audit.schema.json` makes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from surefoot.auditing.diagnosis import Verdict
from surefoot.auditing.diagnostic import Threat

Share = Field(ge=0, le=1)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class SizeDocument(_Part):
    """A figure with its interval."""

    estimate: float | None
    low: float | None
    """Lower end of the interval; null where there is none, which the note explains."""
    high: float | None
    level: float = Share
    n: int
    """How many values it rests on."""
    covers: str
    """Which repetition the interval speaks of."""
    note: str = ""
    reliable: bool = True


class DiagnosisDocument(_Part):
    """The answer of a diagnostic."""

    diagnostic: str
    of: str
    """What was measured, where the diagnostic measures several things; else empty."""
    threat: Threat
    question: str
    verdict: Verdict
    severity: float = Share
    """How far the size lies beyond what matters: 1/2 at twice that size."""
    size: SizeDocument
    unit: str
    matters: float
    """The size up to which nothing is found."""
    reference: float
    """The size of which `power` speaks."""
    p_value: float | None
    """Of the size that matters, adjusted for all tests of the audit; null where it is assumed."""
    power: float | None
    enough_rows: int | None
    """Rows at which the reference size would be found four times in five; null where unknown."""
    sentence: str
    remedy: list[str]
    """Lines of a configuration."""
    advice: str
    rows: int
    """How many rows it is about; `suspects.jsonl` has them."""
    picture: dict[str, Any] | None
    """Figures of a picture, with its kind; null where the size alone is drawn."""
    details: dict[str, Any]


class TriedDocument(_Part):
    """A remedy that was tried on pairs that it had not seen."""

    answers: str
    options: dict[str, dict[str, Any]]
    """Of a configuration, by section."""
    gain: SizeDocument | None
    """Of accuracy on the pairs that it is for."""
    overall: SizeDocument | None
    """Of accuracy on all pairs."""
    against: str
    """Why it is not taken; empty where it is."""


class ChoiceDocument(_Part):
    """The configuration that the audit comes to."""

    sentence: str
    options: dict[str, dict[str, Any]]
    """By section; none where plain training is the answer."""
    taken: list[TriedDocument]
    left: list[TriedDocument]


class LabelsDocument(_Part):
    """What the diagnostics say of labels."""

    verdict: str
    error_rate: float = Share
    """Chance that anything is found where nothing lies beyond what matters."""
    diagnoses: list[DiagnosisDocument]
    """The gravest first."""
    lacking: list[str]
    """What could not be asked, and what it would need."""
    remedy: ChoiceDocument


class VerdictsDocument(_Part):
    """What the diagnostics say of a judge's verdicts, or of a model's rewards."""

    verdict: str
    error_rate: float = Share
    """Chance that anything is found where nothing lies beyond what matters."""
    diagnoses: list[DiagnosisDocument]
    """The gravest first."""
    lacking: list[str]
    """What could not be asked, and what it would need."""


class SideBySideDocument(_Part):
    """A figure of two models."""

    name: str
    unit: str
    first: SizeDocument
    second: SizeDocument
    difference: dict[str, Any] | None
    """Of the same values, first less second; null where the figure is no mean."""


class RewardsDocument(VerdictsDocument):
    """What the diagnostics say of a reward model."""

    model: str
    other: str
    """Name of the model beside it; empty for none."""
    beside: list[SideBySideDocument]


class ExampleDocument(_Part):
    """A row of a finding."""

    file: str | None
    row: int | None
    excerpt: str


class DamageDocument(_Part):
    """Rows that a check of data is about."""

    kind: str
    severity: Literal["error", "warning", "note"]
    count: int
    share: float = Share
    examples: list[ExampleDocument]
    meaning: str
    remedy: str


class AuditDocument(_Part):
    """An `audit.json`."""

    schema_version: Literal[1]
    name: str
    rows: int
    findings: list[DamageDocument]
    """Damage of rows, the gravest first; `rows.jsonl` has all of the rows."""
    unchecked: list[str]
    """What could not be checked, and why."""
    readings: list[dict[str, Any]]
    """How each file was read: what became of its columns."""
    labels: LabelsDocument | None = None
    """Of an audit of preferences."""
    verdicts: VerdictsDocument | None = None
    """Of an audit of a judge."""
    rewards: RewardsDocument | None = None
    """Of an audit of a reward model."""


def schema() -> str:
    """The JSON schema of `audit.json`, as a file holds it."""
    return json.dumps(AuditDocument.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("audit.schema.json").write_text(schema(), encoding="utf-8")
