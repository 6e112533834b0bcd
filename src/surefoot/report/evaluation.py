"""The page of `surefoot evaluate`: is this reward model any good, and better than the baseline?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from surefoot.evaluation.suites import suites
from surefoot.report import advice
from surefoot.report.charts import dot_interval_chart, reliability_chart
from surefoot.report.matrix import matrix_chart
from surefoot.report.page import render
from surefoot.report.words import outcome
from surefoot.statistics import Estimate

if TYPE_CHECKING:  # pages of audits are made without torch
    from surefoot.evaluation import EvaluationResult
    from surefoot.evaluation.run import Evaluation, SetFindings

#: Between the row and the column in the names of a breakdown that is a matrix.
OVER = " over "
#: Groups are drawn up to this number; the table holds them all.
MOST_DRAWN = 24


@dataclass(frozen=True)
class Matrix:
    """A breakdown whose names are `row over column`, every combination once."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Estimate, ...], ...]

    @classmethod
    def of(cls, cells: Mapping[str, Estimate]) -> Matrix | None:
        """The matrix in these cells, if they are one."""
        pairs = [tuple(name.split(OVER)) for name in cells]
        if not pairs or any(len(pair) != 2 for pair in pairs):
            return None
        rows, columns = (tuple(dict.fromkeys(p[side] for p in pairs)) for side in (0, 1))
        if len(cells) != len(rows) * len(columns):
            return None
        return cls(
            rows, columns, tuple(tuple(cells[f"{r}{OVER}{c}"] for c in columns) for r in rows)
        )


def evaluation_page(result: Evaluation, command: str = "") -> str:
    """An HTML page of one model on one or several sets of pairs.

    P-values against the baseline are Holm-adjusted over the sets. The command line that made it is
    shown at the end.
    """
    model, baseline, adjusted = result.model, result.baseline or "the baseline", result.adjusted
    sections = [_section(name, one, adjusted.get(name)) for name, one in result.sets.items()]
    tone, sentence, points = headline(result)
    return render(
        "evaluation.html.jinja",
        sections=sections,
        model=model,
        baseline=baseline,
        compared=bool(result.comparisons),
        overview=_overview(result.sets, model, baseline),
        tone=tone,
        sentence=sentence,
        points=points,
        command=command,
    )


def headline(result: Evaluation) -> tuple[str, str, list[str]]:
    """Tone and sentence of an evaluation, and points to know beside it."""
    adjusted = result.adjusted
    return advice.overall(
        [(name, outcome(one.result.beyond_ruler)) for name, one in result.sets.items()],
        [
            (name, outcome(one.accuracy, adjusted.get(name)))
            for name, one in result.comparisons.items()
        ],
        result.model,
        result.baseline or "the baseline",
    )


def _section(name: str, findings: SetFindings, adjusted: float | None) -> dict[str, Any]:
    """What the page says of one set of pairs, by the names of the template."""
    result, comparison = findings.result, findings.comparison
    tone, sentence = advice.one_suite(result)
    suite = suites().get(name)
    matrices = {title: Matrix.of(cells) for title, cells in result.breakdowns.items()}
    calibrated = {name: result.calibration}
    return {
        "name": name,
        "result": result,
        "comparison": comparison,
        "adjusted": adjusted,
        "overlap": findings.overlap,
        "about": f"{suite.description}. {suite.note}".strip() if suite else "",
        "against_ruler": outcome(result.beyond_ruler),
        "against_baseline": outcome(comparison.accuracy, adjusted) if comparison else "not tested",
        "tone": tone,
        "sentence": sentence,
        "points": advice.points(findings, adjusted),
        "groups_picture": _groups_picture(result),
        "reliability": reliability_chart(calibrated) if len(result.calibration.bins) > 1 else None,
        "matrices": {
            title: matrix_chart(
                m.rows, m.columns, m.cells, row_title="chosen", column_title="rejected"
            )
            for title, m in matrices.items()
            if m is not None
        },
    }


def _overview(sets: Mapping[str, SetFindings], model: str, baseline: str) -> Markup | None:
    """Accuracy of the model, the best ruler and the baseline on each set."""
    if not sets:
        return None
    results, comparisons = zip(*((s.result, s.comparison) for s in sets.values()), strict=True)
    rows: dict[str, list[Estimate | None]] = {
        model: [r.accuracy for r in results],
        "best ruler": [r.rulers[r.best_ruler] for r in results],
    }
    if any(comparisons):
        name = f"{baseline} (baseline)" if baseline in rows else baseline
        rows[name] = [c.baseline if c else None for c in comparisons]
    return dot_interval_chart(list(sets), rows, 0.5, axis="accuracy", reference_label="chance")


def _groups_picture(result: EvaluationResult) -> Markup | None:
    cells = result.groups or result.sources
    if not 2 <= len(cells) <= MOST_DRAWN:
        return None
    series = {"accuracy": list(cells.values())}
    return dot_interval_chart(list(cells), series, 0.5, axis="accuracy", reference_label="chance")
