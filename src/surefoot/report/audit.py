"""The page of `surefoot audit`: what is wrong with these preferences, how sure, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from surefoot.auditing import Audit, Diagnosis, Diagnostic, Dots
from surefoot.auditing.picture import Band, Picture
from surefoot.data import Preferences
from surefoot.data.checks import DamageReport, checks
from surefoot.data.text import last_turn, to_text
from surefoot.report.charts import bar_chart, dot_interval_chart
from surefoot.report.page import render
from surefoot.report.pictures import CAPTIONS, drawn
from surefoot.report.svg import clean
from surefoot.report.words import counted, percent
from surefoot.statistics import Estimate

#: Rows that are shown of a diagnosis, and characters of each text.
SHOWN, LONGEST = 10, 160
#: Where the picture of all threats is cut, in distances from what matters to the reference.
_CUT = (-2.0, 4.0)


@dataclass(frozen=True)
class ConcernedRow:
    """A row that a diagnosis is about, as the page shows it."""

    place: str  #: file and number of the row
    score: float  #: how much it is suspected, in [0, 1]
    prompt: str  #: its last turn, shortened
    preferred: str  #: the response that is labelled as the better one, shortened
    other: str  #: the other one, shortened


@dataclass(frozen=True)
class Answered:
    """One question with all of its answers, as the page shows them."""

    diagnostic: Diagnostic  #: the question
    answers: tuple[Diagnosis, ...]  #: what it measured, the gravest first
    pictures: tuple[tuple[str, Markup], ...]  #: captions and drawings
    #: by name of a diagnosis, the first of the rows that it is about
    rows: dict[str, list[ConcernedRow]]

    @property
    def grave(self) -> list[Diagnosis]:
        """What was found, is assumed or cannot be told."""
        return [one for one in self.answers if one.verdict != "not found"]

    @property
    def absent(self) -> list[Diagnosis]:
        """What was not found, and would have been."""
        return [one for one in self.answers if one.verdict == "not found"]

    @property
    def advice(self) -> list[str]:
        """What to do, each once."""
        said = (one.measurement.advice for one in self.grave)
        return [one for one in dict.fromkeys(said) if one]

    @property
    def remedies(self) -> list[str]:
        """Lines of a configuration, each once."""
        lines = (one.remedies for one in self.answers if one.verdict in ("found", "assumed"))
        return list(dict.fromkeys(line for some in lines for line in some))


def audit_page(
    report: DamageReport,
    found: Audit,
    preferences: Preferences | None = None,
    prompts: Preferences | None = None,
    *,
    command: str = "",
) -> str:
    """An HTML page of the audit of data: the verdict, then each finding with rows and remedy.

    Args:
        report: damage of rows.
        found: what diagnostics say of labels.
        preferences: the audited data, to show rows of; without them, none are shown.
        prompts: those of deployment, where there are any, for the same.
        command: the command line that made it, shown at the end.
    """
    tone, sentence, steps = _verdict(report, found)
    by_question: dict[str, list[Diagnosis]] = {}  # in the order of the gravest
    for one in found.diagnoses:
        by_question.setdefault(one.diagnostic.name, []).append(one)
    questions = [_answered(answers, (preferences, prompts)) for answers in by_question.values()]
    return render(
        "audit.html.jinja",
        report=report,
        found=found,
        tone=tone,
        sentence=sentence,
        steps=steps,
        threats=_threats(found),
        concerns=[one for one in questions if one.grave],
        questions=questions,
        damage=_damage(report),
        checks=len(checks()),
        command=command,
    )


def _verdict(report: DamageReport, found: Audit) -> tuple[str, str, list[str]]:
    """Tone, sentence, and what to do: the first step first."""
    errors, warnings = (
        [f for f in report.findings if f.severity == severity] for severity in ("error", "warning")
    )
    steps = [
        f"{f.kind.replace('-', ' ').capitalize()}, {counted(f.count, 'row')}: {f.remedy}"
        for f in errors
    ]
    advice = [f"{one.measurement.seen} {one.measurement.advice}" for one in found.found[:3]]
    trained = " The command is surefoot train remedy.yaml." if found.remedy.taken else ""
    training = [found.next_step + trained] if found.found else []
    steps += training + advice if found.remedy.taken else advice + training
    if errors:
        rows = len(np.unique(np.concatenate([f.positions for f in errors])))  # in one error or more
        sentence = (
            f"Mend this data before training on it: {counted(rows, 'row')} of {report.rows:,} "
            f"({percent(rows / report.rows)}) do harm."
        )
        return "bad", f"{sentence} {found.verdict}", steps
    if warnings:
        steps.append(f"Look at the {counted(len(warnings), 'warning')} of damage below.")
    said = any(one.verdict == "not found" for one in found.diagnoses)
    if found.found or warnings or not said:
        return "doubt", found.verdict, steps or ["See below what each question would need."]
    return "good", found.verdict + " No damage either." * found.checked, [*steps, found.next_step]


def _answered(
    answers: list[Diagnosis], data: tuple[Preferences | None, Preferences | None]
) -> Answered:
    own = [(one.name, one.measurement.picture) for one in answers]
    pictures = [_captioned(name, picture) for name, picture in own if picture is not None]
    sizes = [one for one in answers if one.measurement.picture is None]
    if sizes:
        name = (sizes[0].diagnostic if len(sizes) > 1 else sizes[0]).name
        pictures.append(_captioned(name, _sizes(sizes)))
    rows = {
        one.name: list(_rows(one, data)) for one in answers if one.verdict in ("found", "assumed")
    }
    return Answered(answers[0].diagnostic, tuple(answers), tuple(pictures), rows)


def _captioned(name: str, picture: Picture) -> tuple[str, Markup]:
    """What it shows and how it is read, and the picture."""
    return f"{name[:1].upper()}{name[1:]}. {CAPTIONS[picture.kind]}", drawn(picture)


def _sizes(answers: list[Diagnosis]) -> Dots:
    """The picture of measurements that bring none: each size, against what does not matter."""
    diagnostic = answers[0].diagnostic
    tests = [one.measurement.test for one in answers]
    either = any(test is not None and test.sides == "either" for test in tests)
    band: Band = (-diagnostic.matters if either else None, diagnostic.matters)
    names = [one.measurement.of or one.diagnostic.name for one in answers]
    picked = [n for n, one in zip(names, answers, strict=True) if one.verdict != "not found"]
    picked = picked if len(picked) < len(names) else []
    sizes = {"size": [one.measurement.size for one in answers]}
    return Dots(names, sizes, diagnostic.unit, band, picked)


def _rows(
    diagnosis: Diagnosis, data: tuple[Preferences | None, Preferences | None]
) -> Iterator[ConcernedRow]:
    """The first of the rows that a diagnosis is about, and of the prompts of deployment."""
    concerned = diagnosis.measurement.rows, diagnosis.measurement.in_deployment
    for rows, given in zip(concerned, data, strict=True):
        if rows is None or given is None:
            continue
        some = given.select(rows.positions[:SHOWN])
        read = some.read("file", "row", "prompt", "response_a", "response_b", "label")
        for score, (file, row, prompt, a, b, label) in zip(
            rows.scores.tolist(), read, strict=False
        ):
            texts = (last_turn(prompt), *map(to_text, (a, b) if label >= 0.5 else (b, a)))
            place = f"{(file or '').rpartition('/')[2]} {row}"
            yield ConcernedRow(place, score, *(clean(text, LONGEST) for text in texts))


def _threats(found: Audit) -> Markup | None:
    """All sizes that were found, or could not be told, on one scale: 0 begins to matter."""
    shown = [one for one in found.diagnoses if one.verdict in ("found", "cannot tell")]
    if len(shown) < 2:
        return None
    verdicts = list(dict.fromkeys(one.verdict for one in shown))
    return dot_interval_chart(
        [one.name for one in shown],
        {
            verdict: [_scaled(one) if one.verdict == verdict else None for one in shown]
            for verdict in verdicts
        },
        1.0,
        axis="how far beyond what matters",
        reference_label="reference size",
        band=(None, 0.0),
    )


def _scaled(one: Diagnosis) -> Estimate:
    """The size by its distance from what matters, where that of the reference size is 1."""
    size, test = one.measurement.size, one.measurement.test
    matters, reference = one.diagnostic.matters, one.diagnostic.reference
    turned = test is not None and test.sides == "either" and (size.estimate or 0.0) < 0
    sign = -1.0 if turned else 1.0

    def scaled(value: float | None) -> float | None:
        if value is None:
            return None
        return float(np.clip((sign * value - matters) / (reference - matters), *_CUT))

    low, high = (size.high, size.low) if turned else (size.low, size.high)
    return Estimate(
        scaled(size.estimate), scaled(low), scaled(high), size.n, size.covers, size.level, size.note
    )


def _damage(report: DamageReport) -> Markup | None:
    if len(report.findings) < 2:
        return None
    return bar_chart(
        [f"{f.kind} ({f.severity})" for f in report.findings],
        [100 * f.share for f in report.findings],
        axis="share of rows, %",
        form="{:.2g} %",
    )
