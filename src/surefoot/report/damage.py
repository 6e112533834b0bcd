"""The page of `surefoot audit`: what is wrong with these preferences, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from markupsafe import Markup

from surefoot.audit import Audit, DeploymentShift
from surefoot.data.checks import DamageReport, checks
from surefoot.report.charts import bar_chart, dot_interval_chart
from surefoot.report.page import render
from surefoot.report.words import counted, percent
from surefoot.statistics import Estimate, mean


def damage_page(
    report: DamageReport,
    shift: DeploymentShift | None = None,
    labels: Audit | None = None,
    *,
    command: str = "",
) -> str:
    """An HTML page of the audit of data: the verdict, then each finding with rows and remedy.

    With how far the prompts of deployment lie from these and what diagnostics say of the labels,
    where that is known. The command line that made it is shown at the end.
    """
    tone, sentence, points = _verdict(report)
    if labels is not None and labels.found:
        tone = "doubt" if tone == "good" else tone
        points.append(f"Labels: {labels.verdict}")
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
        labels=labels,
        clusters=_clusters(shift) if shift else None,
        checks=len(checks()),
        command=command,
    )


def _verdict(report: DamageReport) -> tuple[str, str, list[str]]:
    """Tone, sentence, and what to do."""
    errors, warnings = (
        [f for f in report.findings if f.severity == severity] for severity in ("error", "warning")
    )
    points = [
        f"{f.kind.replace('-', ' ').capitalize()}, {counted(f.count, 'row')}: {f.remedy}"
        for f in errors or warnings
    ]
    if errors:
        rows = len(np.unique(np.concatenate([f.positions for f in errors])))  # in one error or more
        sentence = (
            f"Mend this data before training on it: {counted(rows, 'row')} of {report.rows:,} "
            f"({percent(rows / report.rows)}) do harm."
        )
        if warnings:
            points.append(f"Then look at the {counted(len(warnings), 'warning')} below.")
        return "bad", sentence, points
    if warnings:
        return "doubt", "Nothing here forbids training, but look at the warnings first.", points
    points = ["Labels can still be wrong: these checks read texts and counts, not opinions."]
    if report.unchecked:
        points.append("See below for what could not be checked.")
    return "good", f"No damage found in {counted(report.rows, 'row')}.", points


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
