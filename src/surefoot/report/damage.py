"""The page of `surefoot audit`: what is wrong with these preferences, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from markupsafe import Markup

from surefoot.audit import DeploymentShift
from surefoot.data.checks import DamageReport, Finding, checks
from surefoot.report.charts import bar_chart, dot_interval_chart
from surefoot.report.page import render
from surefoot.report.words import counted, percent
from surefoot.statistics import Estimate, mean


def damage_page(
    report: DamageReport, shift: DeploymentShift | None = None, *, command: str = ""
) -> str:
    """An HTML page of the checks of data: the verdict, then each finding with rows and remedy.

    Args:
        report: what the checks found.
        shift: how far the prompts of deployment lie from these.
        command: the command line that made it, shown at the end.
    """
    tone, sentence, points = _verdict(report)
    if shift is not None and shift.distinguishable:
        points.append(shift.verdict)
    return render(
        "damage.html.jinja",
        report=report,
        tone=tone,
        sentence=sentence,
        points=points,
        picture=_picture(report),
        shift=shift,
        clusters=_clusters(shift) if shift else None,
        checks=len(checks()),
        command=command,
    )


def _verdict(report: DamageReport) -> tuple[str, str, list[str]]:
    """Tone, sentence, and what to do."""
    errors = [f for f in report.findings if f.severity == "error"]
    warnings = [f for f in report.findings if f.severity == "warning"]
    if errors:
        rows = _rows(errors)
        sentence = (
            f"Mend this data before training on it: {counted(rows, 'row')} of {report.rows:,} "
            f"({percent(rows / report.rows)}) do harm."
        )
        points = [f"{_title(f)}, {counted(f.count, 'row')}: {f.remedy}" for f in errors]
        if warnings:
            points.append(f"Then look at the {counted(len(warnings), 'warning')} below.")
        return "bad", sentence, points
    if warnings:
        sentence = "Nothing here forbids training, but look at the warnings first."
        return (
            "doubt",
            sentence,
            [f"{_title(f)}, {counted(f.count, 'row')}: {f.remedy}" for f in warnings],
        )
    sentence = f"No damage found in {counted(report.rows, 'row')}."
    points = ["Labels can still be wrong: these checks read texts and counts, not opinions."]
    if report.unchecked:
        points.append("See below for what could not be checked.")
    return "good", sentence, points


def _rows(findings: Iterable[Finding]) -> int:
    """Number of different rows that these findings are about."""
    return len(np.unique(np.concatenate([f.positions for f in findings])))


def _title(finding: Finding) -> str:
    return finding.kind.replace("-", " ").capitalize()


def _picture(report: DamageReport) -> Markup | None:
    if len(report.findings) < 2:
        return None
    return bar_chart(
        [f"{f.kind} ({f.severity})" for f in report.findings],
        [100 * f.share for f in report.findings],
        axis="share of rows, %",
        form="{:.2g} %",
    )


def _clusters(shift: DeploymentShift) -> Markup:
    """Shares of the clusters of prompts, on both sides."""

    def shares(of: Iterable[float], n: int) -> list[Estimate | None]:
        counts = [round(n * share) for share in of]
        return [mean(np.arange(n) < count, covers="prompts") for count in counts]

    order = np.argsort(-shift.shift.before, kind="stable")
    return dot_interval_chart(
        [shift.names[k] for k in order],
        {
            "training": shares(shift.shift.before[order], shift.training),
            "deployment": shares(shift.shift.after[order], shift.deployment),
        },
        axis="share of prompts",
    )
