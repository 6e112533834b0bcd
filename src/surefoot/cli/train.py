"""`surefoot train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.cli.console import out, quiet_libraries, say, table
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.training.run import Run, TrainingData


def run(config_path: Path, arguments: Sequence[str], seeds: int, overwrite: bool) -> None:
    """Train one run, or one per seed, and print what came out."""
    quiet_libraries()
    from surefoot.paths import claim_output
    from surefoot.training import RunConfig, clear_run, prepare, train_seeds

    config = RunConfig.read(config_path, overrides(arguments))
    if seeds > 1 and not config.depends_on_the_seed():
        raise ConfigurationError(
            f"--seeds {seeds} would give the same model {seeds} times: a linear head on fixed data "
            "depends on no seed. Set training.bootstrap: true to resample the training prompts."
        )
    first = config.training.seed
    configs = [
        config.for_seed(seed, f"{config.output}/seed-{seed}") if seeds > 1 else config
        for seed in range(first, first + seeds)
    ]
    folder = claim_output(config.output, overwrite)  # before anything is read
    say(f"objective: {config.objective.describe()}")
    data = prepare(config)
    _show_data(data)
    clear_run(folder)
    runs = train_seeds(configs, data, overwrite=overwrite, say=say)
    for one in runs:
        say(f"wrote {one.folder}")
    _show(runs)


def overrides(arguments: Sequence[str]) -> dict[str, str]:
    """`["--a.b", "1", "--c=2"]` as `{"a.b": "1", "c": "2"}`.

    Raises:
        ConfigurationError: an argument that is no option, or an option without a value.
    """
    found: dict[str, str] = {}
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
        found[name] = value
    return found


def _show_data(data: TrainingData) -> None:
    say(f"data: {len(data.train)} pairs from {data.train.name}")
    for finding in data.damage.findings:
        if finding.severity != "note":
            say(f"warning: {finding.kind}: {finding.count} row(s). {finding.meaning}")
    if data.removed:
        say(f"removed {data.removed} damaged row(s); `surefoot audit` shows them")
    if data.held_out is not None:
        say(f"held out {len(data.held_out)} pairs")


def _show(runs: Sequence[Run]) -> None:
    rows = [
        [
            str(run.folder),
            str(run.report.out_of_fold_accuracy),
            f"{run.report.l2:.3g}",
            f"{float(run.report.risk.value[0]):.4f}",
        ]
        for run in runs
    ]
    table(
        "Accuracy on training pairs that the head did not see (folds by prompt), labels as given",
        ["run", "accuracy", "l2", "objective"],
        rows,
    )
    report = runs[0].report
    out.print(report.optimum, markup=False)
    if report.units:
        mass, weights = report.risk.unit_mass[:, 0], report.risk.unit_weights[:, 0]
        order = (weights / mass.clamp_min(1e-12)).argsort(descending=True)[:8].tolist()
        named = [[report.units[i], f"{mass[i]:.3f}", f"{weights[i]:.3f}"] for i in order]
        table("Who got the weight", ["unit", "share of pairs", "worst-case weight"], named)
