"""`surefoot audit --judge-column` and `--judge`: whether a judge is to be trusted."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from surefoot.cli.arguments import ReadingFlags
from surefoot.cli.console import confirmed, say
from surefoot.cli.findings import label_next, show_labels, suspects
from surefoot.cli.inputs import read
from surefoot.cli.results import Content, invocation, write
from surefoot.errors import ConfigurationError
from surefoot.paths import READS

if TYPE_CHECKING:
    from surefoot.arrays import Floats
    from surefoot.auditing.judges import JudgeAudit, JudgeMaterial
    from surefoot.data import Preferences
    from surefoot.runs import RunFolder


@dataclass(frozen=True)
class JudgeFlags:
    """A judge that is audited in place of the data."""

    judge: Annotated[
        Path | None,
        typer.Option(
            help="YAML of a judge (as `auxiliary` of surefoot sample): asks it in both orders, and "
            "audits it against the labels."
        ),
        READS,
    ] = None
    judge_column: Annotated[
        str | None,
        typer.Option(help="Column with a judge's verdict, coded as labels are: audits the judge."),
    ] = None
    judge_column_turned: Annotated[
        str | None,
        typer.Option(
            help="Its verdict where response b was shown first; values name the same responses."
        ),
    ] = None
    judge_column_again: Annotated[
        str | None, typer.Option(help="Its verdict of a second run, in the order of the first.")
    ] = None
    judge_name: Annotated[
        str | None,
        typer.Option(
            help="The judge, as model_a and model_b name it where it wrote responses. [of --judge: "
            "its model]"
        ),
    ] = None
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before a judge is sent the texts.")
    ] = False

    @property
    def columns(self) -> list[str]:
        """The columns of verdicts."""
        named = self.judge_column, self.judge_column_turned, self.judge_column_again
        return [column for column in named if column is not None]

    @property
    def given(self) -> bool:
        """Whether a judge is audited.

        Raises:
            ConfigurationError: flags that do not go together.
        """
        if self.judge is not None and self.judge_column is not None:
            raise ConfigurationError("--judge asks a judge, --judge-column reads one: give one.")
        whole = self.judge is not None or self.judge_column is not None
        if self.columns and self.judge_column is None:
            raise ConfigurationError(
                "--judge-column-turned and --judge-column-again go with --judge-column, which was "
                "not given."
            )
        if len(set(self.columns)) < len(self.columns):
            raise ConfigurationError(
                f"the columns of verdicts are {', '.join(map(repr, self.columns))}: each is a run "
                "of its own, and one given twice would look like a judge who never wavers."
            )
        for one in fields(self):
            if not whole and getattr(self, one.name):
                flag = f"--{one.name.replace('_', '-')}"
                raise ConfigurationError(f"{flag} goes with --judge or --judge-column.")
        if self.yes and self.judge is None:
            raise ConfigurationError("--yes goes with --judge, which alone sends texts.")
        return whole


def audit_of_judge(
    data: list[str],
    judge: JudgeFlags,
    reading: ReadingFlags,
    output: Path | None,
    overwrite: bool,
    fail_on: str | None,
) -> None:
    """Read or ask the verdicts, print what diagnostics say of them, and write it into a folder."""
    from surefoot.auditing.judges import audit_judge
    from surefoot.runs import claim

    reads: list[str | Path] = [*data, *([judge.judge] if judge.judge else [])]
    with (
        claim(output, "audit", overwrite=overwrite, reads=reads) if output else nullcontext()
    ) as folder:
        # A column of verdicts may be called `judge` or `label_2`, as one of people's is.
        hidden = [f"{column}=" for column in judge.columns]
        reading = replace(reading, column=[*(reading.column or ()), *hidden])
        preferences = read(data, reading, unlabelled=True)
        material = (
            _logged(data, judge, reading, preferences)
            if judge.judge_column
            else _asked(judge, preferences)
        )
        found = audit_judge(material, preferences.name)
        show_labels(found, paged=folder is not None)
        if folder is not None:
            _write(folder, material, found, preferences)
        else:
            say(f"next: {invocation()} --output judged")
    if found.found and fail_on == "found":
        raise typer.Exit(1)


def _logged(
    data: list[str], judge: JudgeFlags, reading: ReadingFlags, preferences: Preferences
) -> JudgeMaterial:
    """Verdicts that stand in columns."""
    from surefoot.auditing.judges.audit import material_of
    from surefoot.auditing.judges.logged import verdicts_of

    def verdicts(column: str | None) -> Floats | None:
        if column is None:
            return None
        read_as, values = verdicts_of(data, column, preferences, reading.options, reading.no_prompt)
        for line in read_as:
            say(line)
        return values

    columns = judge.judge_column, judge.judge_column_turned, judge.judge_column_again
    shown, turned, again = map(verdicts, columns)
    assert shown is not None
    return material_of(preferences, shown, turned, again, judge.judge_name or "")


def _asked(flags: JudgeFlags, preferences: Preferences) -> JudgeMaterial:
    """Verdicts of a judge that is asked now, in both orders; what is known is not asked again."""
    from surefoot.auditing.judges.audit import material_of
    from surefoot.auditing.judges.logged import judge_in
    from surefoot.judge import judge_pairs

    assert flags.judge is not None
    judge = judge_in(flags.judge)
    result = judge_pairs(
        judge, preferences, proceed=lambda cost: flags.yes or confirmed(cost), say=say
    )
    first, second = result.firsts.T
    name = flags.judge_name or judge.model
    return material_of(preferences, first, 1 - second, name=name)


def _write(
    folder: RunFolder, material: JudgeMaterial, found: JudgeAudit, preferences: Preferences
) -> None:
    import numpy as np

    from surefoot.auditing.judges.calibrated import calibrated
    from surefoot.data.checks import DamageReport
    from surefoot.report import audit_page

    name, readings = preferences.name, preferences.readings
    report = DamageReport(name, found.rows, (), (), readings)
    command = invocation()
    measured = {one.diagnostic.name: one.measurement for one in found.diagnoses}
    files: dict[str, Content] = {
        "audit.json": report.to_dict() | {"verdicts": found.to_dict()},
        "suspects.jsonl": suspects(found, preferences, None),
        "label-next.jsonl": label_next(found, preferences, None),
        "report.html": lambda: audit_page(report, found, preferences, command=command),
        "auxiliary.jsonl": None,
        "auxiliary.yaml": None,
    }
    remedy = measured["auxiliary"].remedy if "auxiliary" in measured else {}
    if remedy:
        config = {
            "data": {"train": ["auxiliary.jsonl"]},
            "scorer": {"kind": "embedding"},
            **remedy,
            "output": "runs/judged",
        }
        rows, probabilities = material.judged, calibrated(material)
        labels = np.where(material.labelled, preferences.labels, probabilities)
        files["auxiliary.jsonl"] = preferences.select(rows).with_columns(
            auxiliary=probabilities[rows].tolist(), label=labels[rows].tolist()
        )
        files["auxiliary.yaml"] = yaml.safe_dump(config, sort_keys=False)
    write(folder, files)
    if remedy:
        say(f"next: {shlex.join(['surefoot', 'train', str(folder.path / 'auxiliary.yaml')])}")
