"""`surefoot train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.arguments import Overwrite
from surefoot.cli.console import figure, out, quiet_libraries, say, table
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.scorers.fit.report import FitReport
    from surefoot.scorers.fit.unit_shares import UnitShare
    from surefoot.statistics import Estimate
    from surefoot.training.language.language_run import LanguageReport
    from surefoot.training.run import Run


def train(
    context: typer.Context,
    configuration: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML configuration.")],
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

    For example:

        surefoot train robust.yaml
        surefoot train robust.yaml --objective.labels.flip_rate 0.2 --output runs/smoothed
        surefoot train robust.yaml --training.bootstrap true --seeds 5
        surefoot train online.yaml --objective.risk.level 0.5
        torchrun --nproc_per_node 2 -m surefoot train policy.yaml
    """
    quiet_libraries()
    from surefoot.cli.online import is_online, run_online
    from surefoot.training import RunConfig, train_seeds

    options = RunConfig.given(configuration, overrides(context.args))
    how: dict[str, Any] = {
        "overwrite": overwrite,
        "resume": resume,
        "say": say,
        "reads": [configuration],
    }
    if is_online(options):
        run_online(options, seeds, how)
        return
    config = RunConfig(**options)
    root = config.output if seeds > 1 else None
    runs = train_seeds(config.for_seeds(seeds), root=root, **how)
    for one in runs:
        say(f"wrote {one.folder}")
    _show(runs)


def overrides(arguments: Sequence[str]) -> dict[str, str]:
    """`["--a.b", "1", "--c=2"]` as `{"a.b": "1", "c": "2"}`.

    Raises:
        ConfigurationError: an argument that is no option, or an option without a value.
    """
    values: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("--"):
            raise ConfigurationError(f"expected --section.key value; got {argument!r}.")
        name, equals, value = argument[2:].partition("=")
        if not equals:
            if not rest:
                raise ConfigurationError(f"--{name} needs a value.")
            value = rest.pop(0)
        values[name] = value
    return values


def _show(runs: Sequence[Run]) -> None:
    from surefoot.scorers.fit.report import FitReport
    from surefoot.training.language.language_run import LanguageReport

    reports = {str(run.folder): run.report for run in runs}
    _show_heads({k: r for k, r in reports.items() if isinstance(r, FitReport)})
    _show_language_models({k: r for k, r in reports.items() if isinstance(r, LanguageReport)})


def _show_language_models(reports: Mapping[str, LanguageReport]) -> None:
    if not reports:
        return
    shown = [name for name in _LAST if any(name in one.last for one in reports.values())]
    rows = [
        [
            folder,
            figure(report.held_out_accuracy),
            str(report.steps),
            *(f"{report.last[name]:.4g}" if name in report.last else "" for name in shown),
        ]
        for folder, report in reports.items()
    ]
    names = [name.replace("_", " ") for name in shown]
    table("Held-out accuracy, and the last log", ["run", "accuracy", "steps", *names], rows)
    for folder, report in reports.items():
        _no_interval(folder, report.held_out_accuracy)
    report = next(iter(reports.values()))
    title = f"Who got the weight, over the {report.share_steps} last steps (of one epoch)"
    _show_shares(title, report.shares)


def _no_interval(folder: str, accuracy: Estimate | None) -> None:
    """Why an accuracy stands alone in a table."""
    if accuracy is None:
        say(f"note: {folder}: no pairs were held out (data.held_out), so there is no accuracy.")
    elif accuracy.low is None:
        say(f"note: {folder}: no interval: {accuracy.note}")


#: Figures of the last log that the table shows.
_LAST = ("loss", "value", "sampled_kl", "margin", "chosen_change", "effective_pairs")


def _show_heads(reports: Mapping[str, FitReport]) -> None:
    if not reports:
        return
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
    for folder, one in reports.items():
        _no_interval(folder, one.out_of_fold_accuracy)
    report = next(iter(reports.values()))
    out.print(report.optimum)
    _show_shares("Who got the weight", report.shares)


def _show_shares(title: str, shares: Sequence[UnitShare]) -> None:
    """The units that gained most, and those that lost most."""
    if not shares:
        return
    shown = [*shares[:8], *shares[max(8, len(shares) - 2) :]]
    rows = [[o.unit, f"{o.mass:.3f}", f"{o.weight:.3f}", f"{o.loss:.3f}"] for o in shown]
    more = f" ({len(shown)} of {len(shares)} units)" if len(shown) < len(shares) else ""
    table(title + more, ["unit", "before", "worst-case weight", "loss"], rows)
