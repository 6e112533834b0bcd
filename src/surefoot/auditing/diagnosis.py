"""From measurements to verdicts, with one error rate for the whole audit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import yaml

from surefoot.auditing.diagnostic import Diagnostic, Lacking, Measurement
from surefoot.statistics.comparison import holm
from surefoot.statistics.estimate import json_ready

Verdict = Literal["found", "not found", "cannot tell", "assumed"]

#: Chance that anything is found where nothing is there, over the whole audit.
ALPHA = 0.05
#: From this chance of finding the reference size on, "not found" says something.
POWER = 0.8


@dataclass(frozen=True)
class Diagnosis:
    """The answer of a diagnostic."""

    diagnostic: Diagnostic  #: the question
    measurement: Measurement  #: what was computed
    #: `found`: the size lies beyond what matters, by a test that allows for all others of the
    #: audit; `not found`: it would have been, were it of the reference size, with chance `power`;
    #: `cannot tell`: it might not have been; `assumed`: the figure rests on an assumption that
    #: these data cannot test
    verdict: Verdict
    #: of the size that matters, adjusted for all tests of the audit; None without a test
    p_value: float | None = None
    #: chance that the reference size would have been found; None without a test
    power: float | None = None
    #: rows at which it would be, four times in five, or at which an interval would be narrow enough
    #: to say something; None where that is not known
    enough: int | None = None

    @property
    def name(self) -> str:
        """The diagnostic, and what it measured where it measures several things."""
        of = self.measurement.of
        return f"{self.diagnostic.name}: {of}" if of else self.diagnostic.name

    @property
    def severity(self) -> float:
        """How far the size lies beyond what matters, in [0, 1): 1/2 at twice that size."""
        size, matters = self.measurement.size.estimate, self.diagnostic.matters
        if size is None or self.verdict != "found":
            return 0.0
        excess = max(abs(size) - matters, 0.0)
        return excess / (excess + matters) if matters else excess / (excess + 1.0)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        seen, one = self.measurement.seen, self.diagnostic
        if self.verdict == "found":
            small = f"{one.matters:g} {one.unit}, which would not matter"
            return f"{seen} That is more than {small if one.matters else 'chance gives'}."
        if self.verdict == "assumed":
            return f"{seen} This rests on an assumption: {self.measurement.assumption}."
        if self.power is None:
            wide = f"an interval wider than {self.measurement.widest:g} is no ground to act on"
            return f"{seen} That is too little to tell: {wide}; some {self.enough:,} rows would do."
        chance = f"{one.reference:g} {one.unit} would have been found with chance {self.power:.2f}"
        if self.verdict == "not found":
            return f"{seen} Nothing is found beyond {one.matters:g}; {chance}."
        rows = (
            f"some {self.enough:,} {self.measurement.grows} would do"
            if self.enough
            else f"more {self.measurement.grows} would be needed than can be had"
        )
        return f"{seen} Too few data to tell: {chance}; {rows}."

    @property
    def remedies(self) -> tuple[str, ...]:
        """What answers it, as lines of a configuration."""
        return configuration_lines(self.measurement.remedy)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        rows = self.measurement.rows
        return {
            "diagnostic": self.diagnostic.name,
            "of": self.measurement.of,
            "threat": self.diagnostic.threat,
            "question": self.diagnostic.question,
            "verdict": self.verdict,
            "severity": self.severity,
            "size": self.measurement.size.to_dict(),
            "unit": self.diagnostic.unit,
            "matters": self.diagnostic.matters,
            "reference": self.diagnostic.reference,
            "p_value": self.p_value,
            "power": self.power,
            "enough_rows": self.enough,
            "sentence": self.sentence,
            "remedy": list(self.remedies),
            "advice": self.measurement.advice,
            "rows": 0 if rows is None else len(rows.positions),
            "picture": json_ready(self.measurement.picture),
            "details": dict(self.measurement.details),
        }


def diagnoses(
    measured: Sequence[tuple[Diagnostic, Measurement]], alpha: float = ALPHA
) -> tuple[Diagnosis, ...]:
    """Judge all measurements together, the gravest first.

    Found is what Holm's procedure rejects, weighted by the shares of all tests: the chance that
    anything is found where nothing is beyond the size that matters is at most alpha, whatever the
    dependence. Power is that of a measurement's own share, the least it can have.

    Args:
        measured: diagnostics with what they measured.
        alpha: error rate of the whole.
    """
    tested = [i for i, (_, one) in enumerate(measured) if one.test is not None]
    weights = np.array([measured[i][0].weight * measured[i][1].weight for i in tested])
    adjusted = dict(zip(tested, _adjusted([measured[i] for i in tested], weights), strict=True))
    found = []
    for i, (diagnostic, one) in enumerate(measured):
        if one.test is None:
            rows = math.ceil(one.size.n * one.too_wide**2)
            found.append(
                Diagnosis(diagnostic, one, "cannot tell", enough=rows)
                if rows
                else Diagnosis(diagnostic, one, "assumed")
            )
            continue
        share = alpha * diagnostic.weight * one.weight / float(weights.sum())
        power = one.test.power(diagnostic.reference, share)
        enough = one.test.enough(diagnostic.reference, share, one.size.n)
        verdict: Verdict = "not found" if power >= POWER else "cannot tell"
        if adjusted[i] <= alpha:
            verdict = "found"
        found.append(Diagnosis(diagnostic, one, verdict, adjusted[i], power, enough))
    order = ("found", "cannot tell", "assumed", "not found")
    return tuple(sorted(found, key=lambda one: (order.index(one.verdict), -one.severity)))


def ask(
    questions: Iterable[Diagnostic],
    material: Any,
    progress: Callable[[str], object] = lambda question: None,
) -> tuple[tuple[Diagnosis, ...], tuple[str, ...]]:
    """Answers to questions about one material, judged together, and what others would need."""
    measured, lacking = [], []
    for one in questions:
        progress(one.name)
        for result in one.measure(material):
            if isinstance(result, Lacking):
                lacking.append(result.reason)
            else:
                measured.append((one, result))
    return diagnoses(measured), tuple(lacking)


def _adjusted(
    measured: Sequence[tuple[Diagnostic, Measurement]], weights: npt.NDArray[np.float64]
) -> list[float]:
    tests = [one.test for _, one in measured]
    return [float(p) for p in holm([t.p_value for t in tests if t is not None], weights)]


def configuration_lines(options: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Options by section, a line of a configuration for each section.

    >>> configuration_lines({"scorer": {"source_aware": True}})
    ('scorer: {source_aware: true}',)
    """
    return tuple(
        f"{section}: {yaml.safe_dump(dict(one), default_flow_style=True, sort_keys=False).strip()}"
        for section, one in options.items()
    )
