"""`surefoot audit`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from tqdm.auto import tqdm

from surefoot.cli.arguments import Overwrite, ReadingFlags, SuitesFolder, TestData
from surefoot.cli.console import say
from surefoot.cli.findings import (
    damaged_rows,
    label_next,
    show_damage,
    show_labels,
    suspects,
    why_not_ranked,
)
from surefoot.cli.inputs import read_with_suites, show_reading
from surefoot.cli.judged import JudgeFlags, audit_of_judge
from surefoot.cli.modelled import ModelFlags, audit_of_model
from surefoot.cli.remedies import remedy_files, say_steps, show_remedy
from surefoot.cli.results import Content, invocation, write
from surefoot.errors import ConfigurationError
from surefoot.paths import FILES, READS

if TYPE_CHECKING:
    from surefoot.auditing import Audit
    from surefoot.data import Preferences
    from surefoot.data.checks import DamageReport
    from surefoot.runs import RunFolder


FailOn = Annotated[
    Literal["found", "error"] | None,
    typer.Option(
        help="Exit with code 1 where something is `found`, or only where rows are an `error`."
    ),
]


@dataclass(frozen=True)
class ReaderFlags:
    """The model that is to be trained on the data, as far as it reads them."""

    tokenizer: Annotated[
        str | None,
        typer.Option(help="Of the model to be trained: a folder, a hub name or `default`."),
        READS,
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

    def __post_init__(self) -> None:
        if self.tokenizer is None and self.scorer is not None:
            raise ConfigurationError("--scorer goes with --tokenizer, which was not given.")

    def arguments(self) -> dict[str, Any]:
        """Arguments of `check`; says who reads."""
        if self.tokenizer is None or self.max_length is None:
            return {"tokenizer": self.tokenizer, "max_length": self.max_length}
        from surefoot.scorers.reading import reading_of

        reader, arguments = reading_of(self.tokenizer, self.max_length, self.scorer)
        say(f"read as by {reader}, {arguments['max_length']} tokens at most")
        return arguments


@dataclass(frozen=True)
class BesideFlags:
    """What the comparisons are held against."""

    against: Annotated[
        list[str] | None,
        typer.Option(help="The other side of a split, to find leaked prompts. Repeatable."),
        READS,
    ] = None
    deployment: Annotated[
        list[str] | None,
        typer.Option(
            help="Prompts of deployment (or comparisons), to see how far they lie from these; "
            "gives radii for risks against shift. Repeatable."
        ),
        FILES,
    ] = None
    clusters: Annotated[
        int | None,
        typer.Option(min=2, max=9999, help="For --deployment: clusters of prompts. [16]"),
    ] = None

    def __post_init__(self) -> None:
        if self.deployment is None and self.clusters is not None:
            raise ConfigurationError("--clusters goes with --deployment, which was not given.")

    def prompts(self, reading: ReadingFlags) -> Preferences | None:
        """The prompts of deployment, if any are given."""
        if not self.deployment:
            return None
        from surefoot.data.prompts import read_prompts

        prompts, _ = read_prompts(self.deployment, **reading.options)
        show_reading(prompts)
        return prompts


def audit(
    data: TestData,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for audit.json, rows.jsonl (every row), suspects.jsonl, report.html, "
            "label-next.jsonl (where there are embeddings to rank by), and for what to train "
            "next: remedy.yaml and plain.yaml, clean.jsonl (changed.jsonl says what is not as it "
            "was), held-out.jsonl (a fifth, of 500 rows or more, not audited)."
        ),
    ] = None,
    judge: JudgeFlags,
    model: ModelFlags,
    reader: ReaderFlags,
    beside: BesideFlags,
    suites: SuitesFolder = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what needs embeddings: seconds, not minutes.")
    ] = False,
    fail_on: FailOn = None,
    reading: ReadingFlags,
    overwrite: Overwrite = False,
) -> None:
    """What is wrong with preferences, a judge or a reward model, how sure is that, what to do?

    Prints damage of rows, which is certain, and what diagnostics say of labels, with intervals:
    anything is found in at most 5 % of data in which nothing is beyond the size that matters.

    For example:

        surefoot audit pairs.jsonl
        surefoot audit pairs.jsonl --quick --fail-on found
        surefoot audit pairs.jsonl --output audit
        surefoot audit train.jsonl --against test.jsonl --output audit
        surefoot audit hh_rlhf --suites folder --output audit
        surefoot audit train.jsonl --deployment prompts.jsonl --output audit
        surefoot audit pairs.csv --column prompt=question --tokenizer default --max-length 256
        surefoot audit pairs.jsonl --judge-column gpt --output judged
        surefoot audit pairs.jsonl --judge judge.yaml --output judged
        surefoot audit pairs.jsonl --model runs/reward --policy runs/policy --output audited
    """
    if judge.given and model.given:
        raise ConfigurationError("--model audits a reward model, --judge a judge: give one.")
    if judge.given or model.given:
        of_data = {
            "--tokenizer": reader.tokenizer,
            "--against": beside.against,
            "--deployment": beside.deployment,
            "--quick": quick or None,
            "--suites": suites if judge.given else None,
        }
        _refuse_of_data(of_data, fail_on, "judge" if judge.given else "model")
        if judge.given:
            audit_of_judge(data, judge, reading, output, overwrite, fail_on)
        else:
            audit_of_model(data, model, reading, output, suites, overwrite, fail_on)
        return
    with _claimed(data, output, reader, beside, overwrite) as folder:
        preferences = read_with_suites(data, suites, reading)
        prompts = beside.prompts(reading)
        report = _damage(preferences, reader, beside, suites, reading)
        show_damage(report)
        found = _diagnosed(folder, preferences, report, prompts, quick, beside.clusters or 16)
    damaged = any(finding.severity == "error" for finding in report.findings)
    if (damaged and fail_on) or (found.found and fail_on == "found"):
        raise typer.Exit(1)


def _refuse_of_data(flags: Mapping[str, object], fail_on: str | None, subject: str) -> None:
    """Refuse what is for an audit of data alone, where a judge or a model is audited.

    Raises:
        ConfigurationError: one of the flags has a value.
    """
    for flag, value in flags.items():
        if value is not None:
            raise ConfigurationError(f"{flag} audits data; leave it out to audit a {subject}.")
    if fail_on == "error":
        raise ConfigurationError(
            f"--fail-on error is for rows; of a {subject} something is `found`."
        )


def _claimed(
    data: list[str], output: Path | None, reader: ReaderFlags, beside: BesideFlags, overwrite: bool
) -> AbstractContextManager[RunFolder | None]:
    """The output folder to oneself, if there is one."""
    from surefoot.runs import claim

    against = beside.against or []
    reads = [*data, *against, *(beside.deployment or ()), *filter(None, [reader.tokenizer])]
    return claim(output, "audit", overwrite=overwrite, reads=reads) if output else nullcontext()


def _damage(
    preferences: Preferences,
    reader: ReaderFlags,
    beside: BesideFlags,
    suites: Path | None,
    reading: ReadingFlags,
) -> DamageReport:
    """What the checks find, for the model that reads, and against the other side of a split."""
    from surefoot.data.checks import check

    other = read_with_suites(beside.against, suites, reading) if beside.against else None
    return check(preferences, **reader.arguments(), against=other)


def _diagnosed(
    folder: RunFolder | None,
    preferences: Preferences,
    report: DamageReport,
    prompts: Preferences | None,
    quick: bool,
    clusters: int,
) -> Audit:
    """What diagnostics say of the rows without damage; prints it, and writes all into a folder."""
    from surefoot.auditing import audit as diagnosed
    from surefoot.auditing.cleaning import cleaned
    from surefoot.data.apart import set_apart
    from surefoot.report import audit_page

    clean = cleaned(preferences, report)
    audited = clean.kept if len(clean.kept) else preferences
    apart = set_apart(audited) if folder else None
    if apart is not None:
        say(apart.sentence)
        audited = apart.rest
    with tqdm(bar_format="asking: {desc} [{elapsed}]", disable=None, leave=False) as bar:
        found = diagnosed(
            audited,
            quick=quick,
            deployment=prompts,
            clusters=clusters,
            progress=bar.set_description,
        )
    show_labels(found, paged=folder is not None)
    show_remedy(found.remedy)
    if folder and apart:
        command = invocation()
        ranked = label_next(found, audited, prompts)
        if not ranked:
            say(f"label-next.jsonl is not written: {why_not_ranked(found)}")
        results: dict[str, Content] = {
            "audit.json": report.to_dict() | {"labels": found.to_dict()},
            "suspects.jsonl": suspects(found, audited, prompts),
            "label-next.jsonl": ranked or None,
            "report.html": lambda: audit_page(report, found, audited, prompts, command=command),
            "rows.jsonl": damaged_rows(report, preferences),
        }
        handed = remedy_files(folder.path, preferences.name, clean, apart, found.remedy)
        write(folder, {**results, **handed})
        if len(clean.kept):
            say_steps(folder.path, found.remedy, apart)
    else:
        say(f"next: {invocation()} --output audit")
    return found
