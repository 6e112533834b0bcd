"""What `surefoot audit` says of damage and of labels, and the rows that these are about."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from surefoot.cli.console import out
from surefoot.escaping import json_document

if TYPE_CHECKING:
    from surefoot.auditing import Audit
    from surefoot.data import Preferences
    from surefoot.data.checks import DamageReport

#: The question whose rows have a file of their own.
LABEL_NEXT = "label next"


def show_labels(found: Audit, paged: bool) -> None:
    """What the diagnostics say, the gravest first; what says nothing more in one line each.

    Where a page is written (`paged`), it has what else was seen; else it is said how to get one.
    """
    colours = {"found": "red", "assumed": "cyan"}
    for one in (one for one in found.diagnoses if one.verdict in colours):
        kind = (f"\n{one.verdict}", f"bold {colours[one.verdict]}"), " ", (one.name, "bold")
        out.print(Text.assemble(*kind, f": {one.sentence}"))
        if one.measurement.advice:
            out.print(Text(f"    What to do: {one.measurement.advice}"))
        for line in one.remedies:
            out.print(Text(f"    In a configuration: {line}"))
    unsure = sorted(
        (one.enough or math.inf, one.name)
        for one in found.diagnoses
        if one.verdict == "cannot tell"
    )
    if unsure:
        lines = (f"{name} {'never' if math.isinf(rows) else f'{rows:,}'}" for rows, name in unsure)
        out.print(
            Text.assemble(
                ("\ncannot tell", "bold yellow"),
                " (rows that would do, on as many more prompts): ",
                f"{'; '.join(lines)}. What was seen of each is in the page"
                f"{'' if paged else ' (--output)'}.",
            )
        )
    absent = [one.name for one in found.diagnoses if one.verdict == "not found"]
    if absent:
        out.print(Text.assemble(("\nnot found", "bold green"), f": {'; '.join(absent)}."))
    for need, names in found.needs.items():
        named = f"{', '.join(names)}: " if names[0] else ""
        out.print(Text(f"not asked: {named}{need}", style="dim"))
    out.print(Text.assemble((f"\n{found.subject.capitalize()}:", "bold"), f" {found.verdict}"))


def suspects(found: Audit, preferences: Preferences, prompts: Preferences | None) -> str:
    """Rows that a finding or an assumption concerns, one JSON object a line, the gravest first."""
    return "".join(
        json_document(json.dumps(line, ensure_ascii=False)) + "\n"
        for line, _ in _concerned(found, preferences, prompts)
        if line["kind"] != LABEL_NEXT
    )


def label_next(found: Audit, preferences: Preferences, prompts: Preferences | None) -> str:
    """What to label next, with the prompt's last turn, one JSON object a line, the first first."""
    return "".join(
        json_document(json.dumps(line | {"prompt": prompt}, ensure_ascii=False)) + "\n"
        for line, prompt in _concerned(found, preferences, prompts)
        if line["kind"] == LABEL_NEXT
    )


def why_not_ranked(found: Audit) -> str:
    """Why there is nothing in `label-next.jsonl`."""
    for reason in found.lacking:
        name, _, need = reason.partition(": ")
        if name == LABEL_NEXT:
            return f"ranking takes {need}"
    return "no rows are better than others to label next."


def _concerned(
    found: Audit, preferences: Preferences, prompts: Preferences | None
) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows, and prompts of deployment, that the audit is about; each with its prompt."""
    from surefoot.data.text import last_turn

    for issues, data in ((found.issues, preferences), (found.deployment_issues, prompts)):
        places = [] if data is None else list(data.read("file", "row", "prompt"))
        for row, kind, score, verdict in issues.itertuples(index=False):
            file, number, prompt = places[row]
            line = {"kind": kind, "verdict": verdict, "score": score, "file": file, "row": number}
            yield line, last_turn(prompt)


def damaged_rows(report: DamageReport, preferences: Preferences) -> str:
    """Every row of every finding, one JSON object a line: kind, severity, file, row."""
    places = list(preferences.read("file", "row"))
    lines = []
    for finding in report.findings:
        named = [places[i] for i in finding.positions]
        if finding.kind in ("unusable-row", "no-label"):
            apart = finding.kind == "no-label"
            faults = (fault for fault in preferences.faults if fault.unlabelled == apart)
            named = [(fault.file, fault.row) for fault in faults]
        for file, row in named:
            place = {"kind": finding.kind, "severity": finding.severity, "file": file, "row": row}
            lines.append(json_document(json.dumps(place, ensure_ascii=False)) + "\n")
    return "".join(lines)


def show_damage(report: DamageReport) -> None:
    """Print the findings of the checks, the gravest first, and whether training may begin."""
    from surefoot.report.words import counted

    colours = {"error": "red", "warning": "yellow", "note": "cyan"}
    damaged = sum(finding.severity == "error" for finding in report.findings)
    rows = counted(report.rows, "row")
    out.print(f"{report.name}: {rows}")
    for finding in report.findings:
        colour = colours[finding.severity]
        kind = (f"\n{finding.severity}", f"bold {colour}"), " ", (finding.kind, "bold")
        said = f": {finding.count} ({finding.share:.1%}). {finding.meaning}"
        out.print(Text.assemble(*kind, said))
        for example in finding.examples[:3]:
            place = f"    row {example.row} of {Path(example.file).name}: {example.excerpt}"
            out.print(place, style="dim", overflow="ellipsis", no_wrap=True)
        out.print(f"    What to do: {finding.remedy}")
    for reason in report.unchecked:
        out.print(f"\nnot checked: {reason}", style="dim")
    warned = sum(finding.severity == "warning" for finding in report.findings)
    verdict = f"{damaged} kind(s) of damage to mend" if damaged else "nothing forbids training"
    look = f"; {warned} warning(s) to look at" if warned else ""
    out.print(Text.assemble(("\nVerdict:", "bold"), f" {verdict}{look}, in {rows}."))
