"""`surefoot audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot.cli.console import invocation, out, quiet_libraries, write
from surefoot.cli.inputs import read


def run(
    data: list[str],
    output: Path | None,
    tokenizer: str | None,
    max_length: int | None,
    against: list[str],
    columns: list[str],
    overwrite: bool,
) -> None:
    """Print the damage report, and write it where asked."""
    quiet_libraries(models=tokenizer is not None)
    from surefoot.data.checks import check
    from surefoot.paths import claim_output

    folder = claim_output(output, overwrite) if output else None
    preferences = read(data, columns)
    report = check(
        preferences,
        tokenizer=_tokenizer(tokenizer),
        max_length=max_length,
        against=read(against, columns) if against else None,
    )
    _show(report)
    if folder:
        from surefoot.report import damage_page

        write(folder, "audit.json", report.to_dict())
        write(folder, "report.html", damage_page(report, command=invocation()))


def _tokenizer(name: str | None) -> Any:
    if name is None:
        return None
    from surefoot.scorers import Encoder, EncoderOptions

    return Encoder(EncoderOptions(name=name)).tokenizer


def _show(report: Any) -> None:
    colours = {"error": "red", "warning": "yellow", "note": "cyan"}
    damaged = sum(finding.severity == "error" for finding in report.findings)
    out.print(f"{report.name}: {report.rows} rows", markup=False)
    for finding in report.findings:
        colour = colours[finding.severity]
        out.print(f"\n[{colour} bold]{finding.severity}[/] [bold]{finding.kind}[/]: ", end="")
        out.print(f"{finding.count} ({finding.share:.1%}). {finding.meaning}", markup=False)
        for example in finding.examples[:3]:
            place = f"    {example.file}, row {example.row}: {example.excerpt}"
            out.print(place, markup=False, style="dim", overflow="ellipsis", no_wrap=True)
        out.print(f"    What to do: {finding.remedy}", markup=False)
    for reason in report.unchecked:
        out.print(f"\nnot checked: {reason}", markup=False, style="dim")
    verdict = f"{damaged} kind(s) of damage" if damaged else "no damage"
    out.print(f"\n[bold]Verdict:[/] {verdict} found in {report.rows} rows.")
