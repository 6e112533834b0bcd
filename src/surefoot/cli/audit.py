"""`surefoot audit`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from surefoot.cli.console import Content, invocation, out, quiet_libraries, say, write
from surefoot.cli.inputs import ReadingFlags, read, tell_reading
from surefoot.escaping import json_document

if TYPE_CHECKING:
    from surefoot.audit import DeploymentShift
    from surefoot.data import Preferences
    from surefoot.runs import RunFolder


def run(
    data: list[str],
    output: Path | None,
    tokenizer: str | None,
    max_length: int | None,
    scorer: str | None,
    against: list[str],
    deployment: Deployment | None,
    reading: ReadingFlags,
    overwrite: bool,
) -> None:
    """Print the damage report, and the distance to deployment; write both where asked."""
    quiet_libraries(models=tokenizer is not None or deployment is not None)
    from surefoot.runs import claim

    reads = [*data, *against, *(deployment.places if deployment else ()), tokenizer or ""]
    held: AbstractContextManager[RunFolder | None] = nullcontext()
    if output:
        held = claim(output, "audit", overwrite=overwrite, reads=reads)
    with held as folder:
        _audit(data, folder, tokenizer, max_length, scorer, against, deployment, reading)


def _audit(
    data: list[str],
    folder: RunFolder | None,
    tokenizer: str | None,
    max_length: int | None,
    scorer: str | None,
    against: list[str],
    deployment: Deployment | None,
    reading: ReadingFlags,
) -> None:
    from surefoot.data.checks import check

    preferences = read(data, reading)
    prompts = deployment.prompts(reading) if deployment else None
    report = check(
        preferences,
        **_reading(tokenizer, max_length, scorer),
        against=read(against, reading) if against else None,
    )
    _show(report)
    shift = None
    if deployment and prompts is not None:
        shift = deployment.shift_from(preferences, prompts)
        _show_shift(shift)
    if folder:
        from surefoot.report import damage_page

        told = {"deployment": shift.to_dict()} if shift else {}
        results: dict[str, Content] = {
            "audit.json": report.to_dict() | told,
            "rows.jsonl": _rows(report, preferences),
            "report.html": lambda: damage_page(report, shift, command=invocation()),
        }
        write(folder, results)


@dataclass(frozen=True)
class Deployment:
    """Where the prompts of deployment are, and into how many clusters prompts fall."""

    places: Sequence[str]
    clusters: int

    def prompts(self, reading: ReadingFlags) -> Preferences:
        """Those of deployment."""
        from surefoot.data.prompt_files import read_prompts

        prompts, _ = read_prompts(self.places, **reading.options)
        tell_reading(prompts)
        return prompts

    def shift_from(self, training: Preferences, prompts: Preferences) -> DeploymentShift:
        """How far they lie from those of training."""
        from surefoot.audit import deployment_shift
        from surefoot.scorers import Encoder, EncoderOptions

        return deployment_shift(training, prompts, Encoder(EncoderOptions()), self.clusters)


def _show_shift(found: DeploymentShift) -> None:
    out.print(Text.assemble(("\nDeployment:", "bold"), f" {found.verdict}"))
    for name, before, after in found.moved() if found.told_apart else ():
        out.print(f"    {before:.1%} to {after:.1%}  {name}", style="dim")
    if found.remedies:
        out.print(
            "Risks that hold this shift (upper ends of what the data allow; less may be better):"
        )
        for line in found.remedies:
            out.print(f"    {line}")


def _rows(report: Any, preferences: Any) -> str:
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


def _reading(name: str | None, max_length: int | None, scorer: str | None) -> dict[str, Any]:
    """How the model to be trained will read these data, as arguments of `check`."""
    if name is None or max_length is None:
        return {"tokenizer": name, "max_length": max_length}
    from surefoot.scorers.reading import reading_of

    found = reading_of(name, max_length, scorer)
    say(f"read as by {found.reader}, {found.max_length} tokens at most")
    return found.arguments


def _show(report: Any) -> None:
    colours = {"error": "red", "warning": "yellow", "note": "cyan"}
    damaged = sum(finding.severity == "error" for finding in report.findings)
    out.print(f"{report.name}: {report.rows} rows")
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
    out.print(Text.assemble(("\nVerdict:", "bold"), f" {verdict}{look}, in {report.rows} rows."))
