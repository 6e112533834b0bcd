"""The commands, with their options and examples."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.arguments import (
    Codings,
    Columns,
    MaxUnusable,
    NoPrompt,
    Overwrite,
    Precision,
    Reference,
    Source,
)

app = typer.Typer(
    name="surefoot",
    help="Robust RLHF: diagnose preferences, train under a robust objective, prove that it helped.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    epilog="Add to any command: --debug for a traceback; --plugin MODULE for losses, risks, "
    "readers, checks or suites of a package of your own.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"surefoot {version('surefoot')}")
        raise typer.Exit


def _finite(given: float) -> float:
    if not math.isfinite(given):
        raise typer.BadParameter(f"a finite number is needed; got {given}.")
    return given


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def audit(
    data: Annotated[list[str], typer.Argument(help="Files, or hub data sets (hub:owner/name).")],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for audit.json, rows.jsonl (every row), report.html."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Of the model to be trained: a folder, a hub name or `default`."),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            min=1, max=10**7, help="Tokens the model keeps: finds pairs cut to the same text."
        ),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            help="For --tokenizer: what will be trained, `embedding`, `reward-model` or `policy`. "
            "[by the configuration beside the tokenizer]"
        ),
    ] = None,
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
    column: Columns = None,
    coding: Codings = None,
    max_unusable: MaxUnusable = None,
    no_prompt: NoPrompt = False,
    overwrite: Overwrite = False,
) -> None:
    """What is wrong with these preferences? Prints the damage report.

    Examples:
        surefoot audit pairs.jsonl

        surefoot audit train.jsonl --against test.jsonl --output audit

        surefoot audit train.jsonl --deployment prompts.jsonl --output audit

        surefoot audit pairs.csv --column prompt=question --tokenizer default --max-length 256
    """
    from surefoot.cli.audit import Deployment, run
    from surefoot.cli.inputs import ReadingFlags
    from surefoot.errors import ConfigurationError

    shift = None if deployment is None else Deployment(deployment, clusters or 16)
    if shift is None and clusters is not None:
        raise ConfigurationError("--clusters goes with --deployment, which was not given.")
    if tokenizer is None and scorer is not None:
        raise ConfigurationError("--scorer goes with --tokenizer, which was not given.")
    reading = ReadingFlags(column or (), coding or (), max_unusable, no_prompt)
    run(data, output, tokenizer, max_length, scorer, against or [], shift, reading, overwrite)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def train(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="A YAML configuration.")],
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="Train with this many seeds, one folder each.")
    ] = 1,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the last checkpoint (training.save_every)."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a reward model or a policy so that the named threat does less harm.

    Any option of the configuration can be given as `--section.key value`.

    Examples:
        surefoot train robust.yaml

        surefoot train robust.yaml --objective.labels.flip_rate 0.2 --output runs/smoothed

        surefoot train robust.yaml --training.bootstrap true --seeds 5

        surefoot train online.yaml --objective.risk.level 0.5

        torchrun --nproc_per_node 2 -m surefoot train policy.yaml
    """
    from surefoot.cli.train import run

    run(config, context.args, seeds, overwrite, resume)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sample(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="A YAML configuration.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the references of the output folder.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before a judge is sent the texts.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Add what VRPO needs to preferences: reference responses, and an auxiliary model's judgment.

    References come from a language model (reference: {kind: language-model, model: ...}), from the
    data as a pool, or from a column. The auxiliary model is fitted on the data by cross-fitting, a
    judge behind an endpoint, or a column. Train on the `pairs.jsonl.gz` that it writes.

    Examples:
        surefoot sample evidence.yaml

        surefoot sample evidence.yaml --reference.pairs 8 --output samples/eight
    """
    from surefoot.cli.sample import run

    run(config, context.args, resume, yes, overwrite)


@app.command()
def evaluate(
    output: Annotated[Path, typer.Option(help="Folder for evaluation.json and report.html.")],
    model: Annotated[
        str | None,
        typer.Argument(help="A run folder, one that holds seeds, or a transformers model."),
    ] = None,
    data: Annotated[
        list[str] | None, typer.Argument(help="Files, hub data sets or names of suites.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="A run folder to compare with, pair by pair.")
    ] = None,
    suites: Annotated[
        Path | None, typer.Option(help="Folder that holds the suites, instead of their origins.")
    ] = None,
    tie_tolerance: Annotated[
        float,
        typer.Option(
            min=0,
            callback=_finite,
            help="Rewards this close, or judgments this close to 1/2, are a tie: it counts half.",
        ),
    ] = 0.0,
    value: Annotated[
        bool, typer.Option("--value", help="Estimate the policy's value from the labels (DRPO).")
    ] = False,
    auxiliary: Annotated[
        str | None, typer.Option(help="For --value: a run that gives P(preferred), on other data.")
    ] = None,
    samples: Annotated[
        list[Path] | None,
        typer.Option(help="What the policy (or A) writes, from `sample`; repeat for seeds of A."),
    ] = None,
    best_of_n: Annotated[
        bool, typer.Option("--best-of-n", help="What the gold reward does as the model chooses.")
    ] = False,
    gold: Annotated[
        str | None,
        typer.Option(help="For --best-of-n: a run that stands in where there is no `gold` column."),
    ] = None,
    clip: Annotated[
        tuple[float, float] | None,
        typer.Option(help="For --value: smallest and largest ratio; biased, see the docs."),
    ] = None,
    self_normalise: Annotated[
        bool, typer.Option("--self-normalise", help="For --value: divide by the mean ratio.")
    ] = False,
    against: Annotated[
        list[Path] | None, typer.Option(help="What B writes; for a win rate of A. Repeatable.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="Of the win rate: a run, or a YAML file that names an endpoint."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send to a judge at an endpoint without asking.")
    ] = False,
    source: Source = None,
    column: Columns = None,
    coding: Codings = None,
    max_unusable: MaxUnusable = None,
    no_prompt: NoPrompt = False,
    reference: Reference = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """Is this reward model any good, and better than that one?

    Every figure comes with an interval and what it covers, beside rulers that do not read the text.
    A policy is evaluated as the reward model that it implies: beta log(pi / pi_ref).

    Examples:
        surefoot evaluate runs/robust hhh_alignment llmbar --output report

        surefoot evaluate runs/robust test.jsonl --baseline runs/plain --output report

        surefoot evaluate dpo-model test.jsonl --reference sft-model --output report

        surefoot evaluate runs/policy test.jsonl --value --auxiliary runs/reward
        --samples samples/references.jsonl --output report

        surefoot evaluate runs/reward --best-of-n --samples samples/references.jsonl
        --gold runs/held-out --output report

        surefoot evaluate --samples a.jsonl --against b.jsonl --judge runs/reward --output report
    """
    from surefoot.cli.evaluate import run
    from surefoot.cli.inputs import ReadingFlags
    from surefoot.cli.request import Request

    request = Request(
        value=value,
        auxiliary=auxiliary,
        samples=samples or (),
        against=against or (),
        judge=judge,
        clip=clip,
        self_normalise=self_normalise,
        yes=yes,
        best_of_n=best_of_n,
        gold=gold,
        precision=precision,
    )
    run(
        model,
        data or [],
        output,
        baseline,
        suites,
        tie_tolerance,
        source,
        ReadingFlags(column or (), coding or (), max_unusable, no_prompt),
        reference,
        overwrite,
        request,
    )


@app.command()
def score(
    model: Annotated[str, typer.Argument(help="A run folder, or a transformers model.")],
    data: Annotated[list[str], typer.Argument(help="Files or hub data sets.")],
    output: Annotated[Path, typer.Option(help="JSON lines: a reward for each response.")],
    source: Source = None,
    column: Columns = None,
    coding: Codings = None,
    max_unusable: MaxUnusable = None,
    no_prompt: NoPrompt = False,
    reference: Reference = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """A reward for each response, and P(a preferred) for each pair; labels are not needed.

    A model that judges pairs has no rewards: a margin for each pair instead.

    Example:
        surefoot score runs/robust pairs.jsonl --output rewards.jsonl
    """
    from surefoot.cli.inputs import ReadingFlags
    from surefoot.cli.score import run

    reading = ReadingFlags(column or (), coding or (), max_unusable, no_prompt)
    run(model, data, output, source, reading, reference, overwrite, precision)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the page, figures and data.")] = Path(
        "demo"
    ),
    seeds: Annotated[int, typer.Option(min=3, help="Seeds per method.")] = 10,
    quick: Annotated[bool, typer.Option("--quick", help="A smaller world, for a first look.")] = (
        False
    ),
    policy: Annotated[
        bool, typer.Option("--policy/--no-policy", help="Train small language models too.")
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a demo that was stopped.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Diagnose, train plain and robust, compare: on a small world whose truth is known.

    Reward models first, then small language models as policies. Needs no hub and no network.

    Example:
        surefoot demo --output demo
    """
    from surefoot.cli.demo import run

    run(output, seeds, quick, policy, overwrite, resume)
