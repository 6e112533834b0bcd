"""`surefoot value`: what a policy is worth, as far as logged comparisons tell."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.arguments import MODEL, LoadingFlags, ReadingFlags, ReportFlags, Source, TestData
from surefoot.cli.console import conclude, figure, out, say, table
from surefoot.cli.evaluate import read_pairs
from surefoot.cli.inputs import load_one, run_folders, say_notes
from surefoot.cli.results import publish, reporting
from surefoot.paths import FILES

if TYPE_CHECKING:
    from surefoot.evaluation.policies.logged import LoggedValues


def value(
    policy: Annotated[str, typer.Argument(help="The run folder of a policy."), MODEL],
    data: TestData,
    samples: Annotated[
        Path,
        typer.Option(help="What the policy writes to their prompts, from surefoot sample."),
        FILES,
    ],
    auxiliary: Annotated[
        str,
        typer.Option(help="A run that gives P(preferred); of other data than these."),
        MODEL,
    ],
    report: ReportFlags,
    *,
    clip: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Smallest and largest ratio; biased, see the docs."),
    ] = None,
    self_normalise: Annotated[
        bool, typer.Option("--self-normalise", help="Divide by the mean ratio.")
    ] = False,
    source: Source = None,
    reading: ReadingFlags,
    loading: LoadingFlags,
) -> None:
    r"""What is a policy worth: how often would it be preferred to its reference? (DRPO)

    Three estimates from logged comparisons, without new labels. Read the effective size first.

    For example:

        surefoot value runs/policy test.jsonl --auxiliary runs/reward \
            --samples written/references.jsonl --output report
    """
    with reporting(report, *data, samples, policy, auxiliary, loading.reference) as folder:
        from surefoot.evaluation.policies.logged import logged_values
        from surefoot.evaluation.policies.samples import read_samples
        from surefoot.evaluation.policies.value import RatioOptions
        from surefoot.report import value_page
        from surefoot.training.folder import saved_prompts

        options = RatioOptions(clip=clip, self_normalise=self_normalise)
        model = load_one(policy, "surefoot value", loading)
        judge = load_one(auxiliary, "--auxiliary")
        written = read_samples(samples)
        values = logged_values(
            model,
            {name: read_pairs(name, None, reading, source, [model, judge])[0] for name in data},
            judge,
            written,
            options=options,
            seen=saved_prompts(run_folders(auxiliary)[0]),
            names=(policy, auxiliary),
        )
        say_notes([model, judge])
        publish(folder, values.to_dict(), partial(value_page, values), partial(_show, values))


def _show(values: LoggedValues) -> None:
    from surefoot.evaluation.policies.logged import verdict

    rows = [
        [
            name,
            *(figure(e) for e in (one.direct, one.importance, one.doubly_robust)),
            f"{one.effective:.1f} of {2 * one.n}",
        ]
        for name, one in values.sets.items()
    ]
    table(
        "Value of the policy: how often it is preferred to its reference (covers test prompts)",
        ["data", "direct", "importance", "doubly robust", "effective size"],
        rows,
    )
    for name, one in values.sets.items():
        said = verdict(one)
        for line in (said.sentence, *said.points):
            out.print(f"{name}: {line}", soft_wrap=True)
    for line in values.warnings:
        say(f"warning: {line}")
    conclude(
        *("", "winrate", "--samples", "A", "--against", "B"),
        *("--judge", values.auxiliary, "--output", "report"),
    )
