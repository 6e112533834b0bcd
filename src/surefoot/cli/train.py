"""`surefoot train`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.arguments import Configuration, Overwrite
from surefoot.cli.console import conclude, figure, out, say, table
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.online.training import OnlineRun
    from surefoot.scorers.fit.report import FitReport, UnitShare
    from surefoot.statistics import Estimate
    from surefoot.training.language.language_run import LanguageReport

#: Figures of the last log that the table of language models shows.
_LAST = ("loss", "value", "sampled_kl", "margin", "chosen_change", "effective_pairs")
#: Groups of prompts that the table of online training shows, at most.
_MOST_SHOWN = 20


def train(
    context: typer.Context,
    configuration: Configuration,
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

    Any option of the configuration can be given as `--section.key value`. They are listed below by
    section; what each means, `surefoot options SECTION` prints. `surefoot init DATA` writes a
    configuration.

    For example:

        surefoot train robust.yaml
        surefoot train robust.yaml --objective.labels.flip_rate 0.2 --output runs/smoothed
        surefoot train robust.yaml --training.bootstrap true --seeds 5
        surefoot train online.yaml --objective.risk.level 0.5
        torchrun --nproc_per_node 2 -m surefoot train policy.yaml
    """
    from surefoot.objectives import Objective
    from surefoot.online.config import is_online
    from surefoot.options import require_places
    from surefoot.training import RunConfig

    options = RunConfig.given(configuration, overrides(context.args))
    how: dict[str, Any] = {
        "overwrite": overwrite,
        "resume": resume,
        "say": say,
        "reads": [configuration],
    }
    if is_online(options):
        _train_online(options, seeds, how)
        return
    config = RunConfig(**options)
    configs = config.for_seeds(seeds)
    if not resume:  # a finished run has no need of its data
        require_places(config)
    # What computes takes seconds to import, and is not needed to find a typo.
    from surefoot.training import train_seeds
    from surefoot.training.folder import HELD_OUT

    runs = train_seeds(configs, root=config.output if seeds > 1 else None, **how)
    for one in runs:
        say(f"wrote {one.folder}")
    reports = {str(run.folder): run.report for run in runs}
    _show(reports)
    held_out = Path(runs[0].folder if runs else config.output) / HELD_OUT
    test = held_out if held_out.is_file() else "TEST.jsonl"
    beside = [] if config.objective == Objective() else ["--baseline", "PLAIN"]
    following = ("evaluate", config.output, test, *beside, "--output", "report")
    conclude(_verdict(config.output, reports.values()), *following)


def overrides(arguments: Sequence[str]) -> dict[str, str]:
    """`["--a.b", "1", "--c=2"]` as `{"a.b": "1", "c": "2"}`.

    Raises:
        ConfigurationError: an argument that is no option, or an option without a value.
    """
    values: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--"):
            raise ConfigurationError(f"expected --section.key value; got {argument!r}.")
        name, equals, value = argument[2:].partition("=")
        given = value if equals else next(rest, None)
        if given is None:
            raise ConfigurationError(f"--{name} needs a value.")
        values[name] = given
    return values


def _train_online(options: Mapping[str, Any], seeds: int, how: Mapping[str, Any]) -> None:
    """Train one run, or one per seed, and print what came out of each."""
    if find_spec("trl") is None:
        raise ConfigurationError(
            "online training stands on TRL, which is absent: pip install 'surefoot[online]'."
        )
    from surefoot.online import OnlineConfig
    from surefoot.options import require_places

    config = OnlineConfig(**options)
    configs = config.for_seeds(seeds)
    if not how["resume"]:
        require_places(config)
    from surefoot.online.training import train_online_seeds

    runs = []
    for found in train_online_seeds(configs, root=config.output if seeds > 1 else None, **how):
        say(f"wrote {found.folder}")
        _show_online(found)
        runs.append(found)
    if runs:
        first = runs[0]
        audited = ("--model", "REWARD", "--policy", first.folder, "--output", "audited")
        conclude(first.report.verdict, "audit", "LABELLED.jsonl", *audited)


def _show_online(run: OnlineRun) -> None:
    from surefoot.online.report import SHOWN

    report = run.report
    _show_logs("The last log", {str(run.folder): report}, SHOWN)
    if report.groups:
        worst = sorted(report.groups, key=lambda group: group.gain)[:_MOST_SHOWN]
        table(
            "Prompts by group: what they gained over the reference, and how often they count",
            ["group", "share", "prompts seen", "gain", "weight"],
            [
                [
                    g.name,
                    f"{g.share:.3f}",
                    str(g.seen),
                    f"{g.gain:.3f}" if g.seen else "–",
                    f"{g.weight:.2f}",
                ]
                for g in worst
            ],
        )


def _verdict(output: str, reports: Iterable[FitReport | LanguageReport]) -> str:
    """How well the model orders pairs that it did not see, of several seeds from the worst on."""
    from surefoot.scorers.fit.report import FitReport

    accuracies = [
        one.out_of_fold_accuracy if isinstance(one, FitReport) else one.held_out_accuracy
        for one in reports
    ]
    known = [one for one in accuracies if one is not None and one.estimate is not None]
    if not known:
        return ""
    shares = sorted(float(one.estimate or 0.0) for one in known)
    share = figure(known[0]) if len(known) == 1 else f"{shares[0]:.3f} to {shares[-1]:.3f}"
    return f"Of pairs that it did not see {output} orders {share} as they are labelled."


def _show(reports: Mapping[str, Any]) -> None:
    from surefoot.scorers.fit.report import FitReport
    from surefoot.training.language.language_run import LanguageReport

    if heads := {k: r for k, r in reports.items() if isinstance(r, FitReport)}:
        _show_heads(heads)
    if language := {k: r for k, r in reports.items() if isinstance(r, LanguageReport)}:
        _show_language_models(language)


def _show_language_models(reports: Mapping[str, LanguageReport]) -> None:
    accuracies = {folder: report.held_out_accuracy for folder, report in reports.items()}
    _show_logs("Held-out accuracy, and the last log", reports, _LAST, accuracies)
    report = next(iter(reports.values()))
    title = f"Who got the weight, over the {report.share_steps} last steps (of one epoch)"
    _show_shares(title, report.shares)


def _show_logs(
    title: str,
    reports: Mapping[str, Any],
    names: Sequence[str],
    accuracies: Mapping[str, Estimate | None] | None = None,
) -> None:
    """The figures of each run's last log that have one of these names."""
    shown = [name for name in names if any(name in one.last for one in reports.values())]
    rows = [
        [
            folder,
            *([figure(accuracies[folder])] if accuracies else []),
            str(report.steps),
            *(f"{report.last[name]:.4g}" if name in report.last else "" for name in shown),
        ]
        for folder, report in reports.items()
    ]
    columns = ["run", *(["accuracy"] if accuracies else []), "steps"]
    table(title, [*columns, *(name.replace("_", " ") for name in shown)], rows)
    _say_why_alone(accuracies or {})


def _say_why_alone(accuracies: Mapping[str, Estimate | None]) -> None:
    """Why accuracies stand alone in a table, or not at all."""
    for folder, accuracy in accuracies.items():
        if accuracy is None:
            say(f"note: {folder}: no pairs were held out (data.held_out), so there is no accuracy.")
        elif accuracy.low is None:
            say(f"note: {folder}: no interval: {accuracy.note}")


def _show_heads(reports: Mapping[str, FitReport]) -> None:
    rows = [
        [
            folder,
            figure(report.out_of_fold_accuracy),
            f"{report.l2:.3g}",
            f"{float(report.risk.value[0]):.4f}",
        ]
        for folder, report in reports.items()
    ]
    table(
        "Accuracy on training pairs that the head did not see (folds by prompt), labels as given",
        ["run", "accuracy", "l2", "objective"],
        rows,
    )
    _say_why_alone({folder: one.out_of_fold_accuracy for folder, one in reports.items()})
    report = next(iter(reports.values()))
    out.print(report.optimum)
    _show_shares("Who got the weight", report.shares)


def _show_shares(title: str, shares: Sequence[UnitShare]) -> None:
    """The units that gained most, and those that lost most."""
    if shares:
        shown = [*shares[:8], *shares[max(8, len(shares) - 2) :]]
        rows = [[o.unit, f"{o.mass:.3f}", f"{o.weight:.3f}", f"{o.loss:.3f}"] for o in shown]
        more = f" ({len(shown)} of {len(shares)} units)" if len(shown) < len(shares) else ""
        table(title + more, ["unit", "before", "worst-case weight", "loss"], rows)
