"""`surefoot audit`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from surefoot.cli.arguments import Overwrite, ReadingFlags
from surefoot.cli.console import out, quiet_libraries, say
from surefoot.cli.inputs import read, show_reading
from surefoot.cli.remedies import remedy_files, say_steps, show_remedy
from surefoot.cli.results import Content, invocation, write
from surefoot.errors import ConfigurationError
from surefoot.escaping import json_document

if TYPE_CHECKING:
    from surefoot.audit import Audit
    from surefoot.data import Preferences
    from surefoot.runs import RunFolder


@dataclass(frozen=True)
class ReaderFlags:
    """The model that is to be trained on the data, as far as it reads them."""

    tokenizer: Annotated[
        str | None,
        typer.Option(help="Of the model to be trained: a folder, a hub name or `default`."),
    ] = None
    max_length: Annotated[
        int | None,
        typer.Option(
            min=1, max=10**7, help="Tokens the model keeps: finds pairs cut to the same text."
        ),
    ] = None
    scorer: Annotated[
        str | None,
        typer.Option(
            help="For --tokenizer: what will be trained, `embedding`, `reward-model` or `policy`. "
            "[by the configuration beside the tokenizer]"
        ),
    ] = None

    def arguments(self) -> dict[str, Any]:
        """Arguments of `check`; says who reads."""
        if self.tokenizer is None or self.max_length is None:
            return {"tokenizer": self.tokenizer, "max_length": self.max_length}
        from surefoot.scorers.reading import reading_of

        reader, arguments = reading_of(self.tokenizer, self.max_length, self.scorer)
        say(f"read as by {reader}, {arguments['max_length']} tokens at most")
        return arguments


def audit(
    data: Annotated[list[str], typer.Argument(help="Files, or hub data sets (hub:owner/name).")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for audit.json, rows.jsonl (every row), suspects.jsonl, report.html, and "
            "for what to train next: remedy.yaml and plain.yaml, clean.jsonl (changed.jsonl says "
            "what is not as it was), held-out.jsonl (a fifth, of 500 rows or more, not audited)."
        ),
    ] = None,
    reader: ReaderFlags,
    against: Annotated[
        list[str] | None,
        typer.Option(help="The other side of a split, to find leaked prompts. Repeatable."),
    ] = None,
    deployment: Annotated[
        list[str] | None,
        typer.Option(
            help="Prompts of deployment (or comparisons), to see how far they lie from these; "
            "gives radii for risks against shift. Repeatable."
        ),
    ] = None,
    clusters: Annotated[
        int | None,
        typer.Option(min=2, max=9999, help="For --deployment: clusters of prompts. [16]"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what needs embeddings: seconds, not minutes.")
    ] = False,
    fail_on: Annotated[
        Literal["found", "error"] | None,
        typer.Option(
            help="Exit with code 1 where something is `found`, or only where rows are an `error`."
        ),
    ] = None,
    reading: ReadingFlags,
    overwrite: Overwrite = False,
) -> None:
    """What is wrong with these preferences, how sure is that, and what to do?

    Prints damage of rows, which is certain, and what diagnostics say of labels, with intervals:
    anything is found in at most 5 % of data in which nothing is beyond the size that matters.

    For example:

        surefoot audit pairs.jsonl
        surefoot audit pairs.jsonl --quick --fail-on found
        surefoot audit pairs.jsonl --output audit
        surefoot audit train.jsonl --against test.jsonl --output audit
        surefoot audit train.jsonl --deployment prompts.jsonl --output audit
        surefoot audit pairs.csv --column prompt=question --tokenizer default --max-length 256
    """
    if deployment is None and clusters is not None:
        raise ConfigurationError("--clusters goes with --deployment, which was not given.")
    if reader.tokenizer is None and reader.scorer is not None:
        raise ConfigurationError("--scorer goes with --tokenizer, which was not given.")
    quiet_libraries(models=not quick or reader.tokenizer is not None)
    from surefoot.audit import audit as diagnosed
    from surefoot.audit.cleaning import cleaned
    from surefoot.data.apart import set_apart
    from surefoot.data.checks import check
    from surefoot.runs import claim

    held: AbstractContextManager[RunFolder | None] = nullcontext()
    if output:
        tokenizer = [reader.tokenizer] if reader.tokenizer else []
        reads = [*data, *(against or ()), *(deployment or ()), *tokenizer]
        held = claim(output, "audit", overwrite=overwrite, reads=reads)
    with held as folder:
        preferences = read(data, reading)
        prompts = _prompts(deployment, reading) if deployment else None
        report = check(
            preferences,
            **reader.arguments(),
            against=read(against, reading) if against else None,
        )
        _show(report)
        clean, apart = cleaned(preferences, report), None
        sound = clean.kept if len(clean.kept) else preferences
        if folder:
            apart = set_apart(sound)
            say(apart.sentence)
        audited = sound if apart is None else apart.rest
        found = diagnosed(audited, quick=quick, deployment=prompts, clusters=clusters or 16)
        _show_diagnoses(found)
        show_remedy(found.remedy)
        if folder and apart:
            handed = {
                "rows.jsonl": _rows(report, preferences),
                **remedy_files(folder.path, preferences.name, clean, apart, found.remedy),
            }
            _write(folder, report, found, audited, prompts, handed)
            say_steps(folder.path, found.remedy, apart)
    damaged = any(finding.severity == "error" for finding in report.findings)
    if (damaged and fail_on) or (found.found and fail_on == "found"):
        raise typer.Exit(1)


def _prompts(places: list[str], reading: ReadingFlags) -> Preferences:
    """The prompts of deployment."""
    from surefoot.data.prompts import read_prompts

    prompts, _ = read_prompts(places, **reading.options)
    show_reading(prompts)
    return prompts


def _write(
    folder: RunFolder,
    report: Any,
    found: Audit,
    audited: Preferences,
    prompts: Preferences | None,
    handed: Mapping[str, Content],
) -> None:
    from surefoot.report import audit_page

    results: dict[str, Content] = {
        "audit.json": report.to_dict() | {"labels": found.to_dict()},
        "suspects.jsonl": _suspects(found, audited, prompts),
        "report.html": lambda: audit_page(report, found, audited, prompts, command=invocation()),
    }
    write(folder, {**results, **handed})


def _show_diagnoses(found: Audit) -> None:
    """What the diagnostics say, the gravest first; what was not found in one line each."""
    colours = {"found": "red", "cannot tell": "yellow", "assumed": "cyan", "not found": "green"}
    for one in found.diagnoses:
        if one.verdict == "not found":
            continue
        kind = (f"\n{one.verdict}", f"bold {colours[one.verdict]}"), " ", (one.name, "bold")
        out.print(Text.assemble(*kind, f": {one.sentence}"))
        if one.verdict in ("found", "assumed"):
            if one.measurement.advice:
                out.print(Text(f"    What to do: {one.measurement.advice}"))
            for line in one.remedies:
                out.print(Text(f"    In a configuration: {line}"))
    absent = [one.name for one in found.diagnoses if one.verdict == "not found"]
    if absent:
        out.print(Text.assemble(("\nnot found", "bold green"), f": {'; '.join(absent)}."))
    for reason in found.lacking:
        out.print(Text(f"not asked: {reason}", style="dim"))
    out.print(Text.assemble(("\nLabels:", "bold"), f" {found.verdict}"))


def _suspects(found: Audit, preferences: Preferences, prompts: Preferences | None) -> str:
    """Rows that a finding or an assumption concerns, one JSON object a line, the gravest first."""
    lines = []
    for issues, data in ((found.issues, preferences), (found.deployment_issues, prompts)):
        places = [] if data is None else list(data.read("file", "row"))
        for row, kind, score, verdict in issues.itertuples(index=False):
            file, number = places[row]
            line = {"kind": kind, "verdict": verdict, "score": score, "file": file, "row": number}
            lines.append(json_document(json.dumps(line, ensure_ascii=False)) + "\n")
    return "".join(lines)


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
