"""`surefoot winrate`: is what one policy writes preferred to what another one writes?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.arguments import MODEL, ReportFlags, Source, TieTolerance
from surefoot.cli.console import conclude, confirmed, figure, say, table
from surefoot.cli.inputs import load_one, say_notes
from surefoot.cli.results import publish, reporting
from surefoot.errors import ConfigurationError
from surefoot.escaping import excerpt
from surefoot.paths import FILES

if TYPE_CHECKING:
    from surefoot.data import Preferences
    from surefoot.evaluation.policies.win_rate import Contests, WinRate


def winrate(
    samples: Annotated[
        list[Path],
        typer.Option(help="What A writes, from surefoot sample; repeat for seeds of A."),
        FILES,
    ],
    against: Annotated[
        list[Path],
        typer.Option(help="What B writes: one file for each of A's, or one for all."),
        FILES,
    ],
    judge: Annotated[
        str,
        typer.Option(help="Who compares: a run, or a YAML file that names an endpoint."),
        MODEL,
    ],
    report: ReportFlags,
    tie_tolerance: TieTolerance = 0.0,
    source: Source = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send to a judge at an endpoint without asking.")
    ] = False,
) -> None:
    """Is what policy A writes preferred to what policy B writes, and is that its length?

    The k-th response of A stands against the k-th of B, prompt by prompt. A judge at an endpoint is
    asked in both orders, after it was shown what that costs and where the texts go.

    For example:

        surefoot winrate --samples a.jsonl --against b.jsonl --judge runs/reward --output report
        surefoot winrate --samples a.jsonl --against b.jsonl --judge judge.yaml --output report
    """
    if len(against) not in (1, len(samples)):
        raise ConfigurationError(
            f"--samples names {len(samples)} file(s), one for each seed, and --against "
            f"{len(against)}: as many, or one for all."
        )
    if not tie_tolerance < 0.5:  # before anything is asked and paid for
        raise ConfigurationError(
            f"--tie-tolerance of a win rate is below 1/2; got {tie_tolerance:g}."
        )
    with reporting(report, *samples, *against, judge) as folder:
        from surefoot.evaluation.policies.contests import contests, left_over
        from surefoot.evaluation.policies.samples import read_samples
        from surefoot.evaluation.policies.win_rate import win_rate
        from surefoot.report import win_rate_page

        ours, theirs = ([read_samples(path) for path in paths] for paths in (samples, against))
        both = list(zip(ours, theirs * len(ours) if len(theirs) == 1 else theirs, strict=True))
        pairs = [contests(a, b, source) for a, b in both]
        rate = win_rate(_judged(judge, pairs, yes), tie_tolerance)
        a, b = (", ".join(map(str, paths)) for paths in (samples, against))
        content = {"schema_version": 1, "a": a, "b": b, "judge": judge}
        publish(
            folder,
            content | {"win_rate": rate.to_dict()},
            lambda command: win_rate_page(rate, a, b, judge=judge, command=command),
            lambda: _show(rate, sum(map(len, pairs)), sum(left_over(*one) for one in both), judge),
        )


def _judged(place: str, pairs: Sequence[Preferences], yes: bool) -> list[Contests]:
    """Contests judged by a run, or by the endpoint that a YAML file names."""
    from surefoot.evaluation.policies.contests import judged_by_endpoint, judged_by_model
    from surefoot.scorers.ensemble_file import is_ensemble

    if Path(place).suffix not in (".yaml", ".yml") or is_ensemble(place):
        model = load_one(place, "--judge")
        contests = [judged_by_model(model, one, place) for one in pairs]
        say_notes([model])
        return contests
    judge = _endpoint(Path(place))
    proceed = (lambda cost: True) if yes else confirmed
    return [judged_by_endpoint(judge, one, proceed=proceed, say=say) for one in pairs]


def _endpoint(path: Path) -> Any:
    """The judge in a YAML file: its options, alone or under `auxiliary` as for surefoot sample."""
    from surefoot.boundary.yaml_texts import yaml_file
    from surefoot.judge import Judge

    given = yaml_file(path, "the judge in")
    options = given.get("auxiliary", given) if isinstance(given, dict) else given
    if not isinstance(options, dict) or options.get("kind", "judge") != "judge":
        # By their names alone: one of the values may be a key.
        shown = list(given) if isinstance(given, dict) else type(given).__name__
        raise ConfigurationError(
            f"{path} holds no judge: base_url, model and so on; got {excerpt(shown)}."
        )
    return Judge(**{name: value for name, value in options.items() if name != "kind"})


def _show(rate: WinRate, contests: int, left_over: int, judge: str) -> None:
    from surefoot.report.policies import win_rate_headline

    lengths = " and ".join(f"{e.estimate:.1f}" for e in rate.lengths)
    rows = [
        ["win rate of A (ties count half)", figure(rate.win_rate)],
        ["the same at equal length", figure(rate.length_controlled)],
        ["mean P(A preferred)", figure(rate.probability)],
        ["ties", figure(rate.ties)],
        ["A is longer", figure(rate.longer)],
        ["length of A, of B (characters)", lengths],
    ]
    if rate.position is not None and rate.inconsistent is not None:
        rows += [
            ["the response shown first wins", figure(rate.position)],
            ["another winner in the other order", figure(rate.inconsistent)],
        ]
    table(
        f"A against B: {rate.n} comparisons on {rate.prompts} prompts (covers "
        f"{rate.win_rate.covers})",
        ["", "figure"],
        rows,
    )
    for one in (rate.win_rate, rate.length_controlled):
        if one.low is None:
            say(f"note: no interval: {one.note}")
    for note in rate.notes:
        say(f"warning: {note}.")
    if left_over:
        say(f"note: {left_over} responses had no counterpart and were not compared.")
    if rate.n < contests:
        say(f"warning: {contests - rate.n} comparisons got no judgment and are left out.")
    _, sentence = win_rate_headline(rate)
    conclude(sentence, "evaluate", judge, "LABELLED.jsonl")
