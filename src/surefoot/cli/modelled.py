"""`surefoot audit --model`: whether a reward model is to be trusted."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm.auto import tqdm

from surefoot.cli.arguments import MODEL, ReadingFlags
from surefoot.cli.console import out, say
from surefoot.cli.findings import show_labels, suspects
from surefoot.cli.inputs import load_one, read_with_suites, say_notes
from surefoot.cli.results import invocation, write
from surefoot.errors import ConfigurationError
from surefoot.paths import READS

if TYPE_CHECKING:
    from surefoot.auditing.models import ModelAudit, ScoredPreferences
    from surefoot.data import Preferences


@dataclass(frozen=True)
class ModelFlags:
    """A reward model that is audited in place of the data."""

    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A reward model that is audited on the data: a run folder, an ensemble, a "
            "transformers model, or a function (rewards.py:name). Twice: two side by side."
        ),
        MODEL,
    ] = None
    policy: Annotated[
        str | None,
        typer.Option(
            help="For --model: a language model, which writes 8 responses to each of 100 prompts "
            "of the data; or samples, as surefoot sample or TRL writes them."
        ),
        READS,
    ] = None
    gold: Annotated[
        str | None,
        typer.Option(
            help="For --policy: a model whose reward stands for what is wanted. [the column `gold`]"
        ),
        MODEL,
    ] = None

    @property
    def given(self) -> bool:
        """Whether a model is audited.

        Raises:
            ConfigurationError: flags that do not go together.
        """
        for one in fields(self):
            if not self.model and getattr(self, one.name):
                raise ConfigurationError(f"--{one.name} goes with --model, which was not given.")
        if self.gold is not None and self.policy is None:
            raise ConfigurationError("--gold goes with --policy, which was not given.")
        times = len(self.model or ())
        if times > 2:
            raise ConfigurationError(
                f"--model is given once, or twice for two side by side; here {times} times."
            )
        return bool(self.model)


def audit_of_model(
    data: list[str],
    flags: ModelFlags,
    reading: ReadingFlags,
    output: Path | None,
    suites: Path | None,
    overwrite: bool,
    fail_on: str | None,
) -> None:
    """Score data and samples, print what diagnostics say of the rewards, write it into a folder."""
    from surefoot.runs import claim

    models = flags.model or []
    reads: list[str | Path] = [*data, *models, *filter(None, (flags.policy, flags.gold))]
    with (
        claim(output, "audit", overwrite=overwrite, reads=reads) if output else nullcontext()
    ) as folder:
        preferences = read_with_suites(data, suites, reading)
        found = _audited(flags, models, preferences)
        show_labels(found, paged=folder is not None)
        _show_beside(found)
        if folder is None:
            say(f"next: {invocation()} --output audited")
        else:
            from surefoot.data.checks import DamageReport
            from surefoot.report import audit_page

            report = DamageReport(preferences.name, found.rows, (), (), preferences.readings)
            command = invocation()
            write(
                folder,
                {
                    "audit.json": report.to_dict() | {"rewards": found.to_dict()},
                    "suspects.jsonl": suspects(found, preferences, None),
                    "report.html": lambda: audit_page(report, found, preferences, command=command),
                },
            )
    if found.found and fail_on == "found":
        raise typer.Exit(1)


def _audited(flags: ModelFlags, models: list[str], preferences: Preferences) -> ModelAudit:
    """The audit of the first model, beside the second where there is one."""
    from surefoot.auditing.models import audit_model, compared

    materials = [_scored(flags, one, preferences) for one in models]
    with tqdm(bar_format="asking: {desc} [{elapsed}]", disable=None, leave=False) as bar:
        audits = [
            audit_model(material, name, bar.set_description)
            for material, name in zip(materials, models, strict=True)
        ]
    say_notes([one.model for one in materials])
    return audits[0] if len(audits) == 1 else compared(audits[0], audits[1], materials[0])


def _show_beside(found: ModelAudit) -> None:
    """Figures of two models, with differences."""
    if found.beside:
        out.print(f"\n{found.model} beside {found.other}:", style="bold", markup=False)
    for one in found.beside:
        line = f"  {one.name}: {one.first} and {one.second}"
        if one.difference is not None:
            line += f"; difference {one.difference.difference}"
        out.print(line, markup=False)


def _scored(flags: ModelFlags, place: str, preferences: Preferences) -> ScoredPreferences:
    """The data beside a model, and what the policy wrote, if one is named."""
    from surefoot.auditing.models import ScoredPreferences

    model = load_one(place, "--model")
    if Path(place).exists():
        from surefoot.evaluation.pairs.overlap import prompt_overlap
        from surefoot.training.folder import saved_prompts

        seen = prompt_overlap(saved_prompts(place), preferences)
        if seen.rows:
            say(
                f"warning: {seen.rows} of {seen.n} pairs ({seen.share:.1%}) have a prompt that "
                f"{place} was trained on: there it looks better than it is."
            )
    samples = None
    if flags.policy is not None:
        from surefoot.auditing.models.drawing import samples_of
        from surefoot.auditing.models.samples import policy_samples

        written = samples_of(flags.policy, preferences, say=say)
        gold = None if flags.gold is None else load_one(flags.gold, "--gold")
        samples = policy_samples(model, written, gold, flags.gold or "", say)
        for caution in samples.cautions:
            say(f"note: {caution}")
        say(f"policy: {len(samples.rewards)} responses to {len(samples.keys)} prompts")
    return ScoredPreferences(preferences, model=model, samples=samples)
