"""A training run: read, check, fit, save. Configuration in, run folder out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from surefoot.data import Preferences, read_preferences
from surefoot.data.checks import DamageReport, check, leaks, without
from surefoot.data.prompts import training_prompt_keys
from surefoot.data.splits import split
from surefoot.data.writing import write_preferences
from surefoot.errors import ConfigurationError, DataError
from surefoot.paths import claim_output
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer, fit_models
from surefoot.scorers.bootstrap import prompt_bootstrap
from surefoot.scorers.fit_report import FitReport
from surefoot.training.config import RunConfig
from surefoot.training.manifest import manifest, model_card, write_json

PROMPTS = "training-prompts.safetensors"
HELD_OUT = "held-out.jsonl"
#: What a run writes into its folder, and all that overwriting it takes away.
RUN_FILES = (
    *("model.safetensors", "surefoot.json", "config.yaml", "manifest.json", "damage.json"),
    *("README.md", PROMPTS, HELD_OUT),
)


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, the model and what the fit had to say."""

    folder: Path
    model: EmbeddingRewardModel
    report: FitReport


@dataclass(frozen=True)
class TrainingData:
    """Comparisons that are ready to train on.

    Attributes:
        train, held_out: the two sides of the split; `held_out` is None where none was asked for.
        damage: the damage report of all that was read.
        removed: number of damaged rows that were taken out.
    """

    train: Preferences
    held_out: Preferences | None
    damage: DamageReport
    removed: int


def prepare(config: RunConfig) -> TrainingData:
    """Read and check the data of a run, remove what is damaged, split.

    Raises:
        DataError: unreadable data, or damage where `data.damaged` is `fail`.
    """
    options = config.data
    everything = read_preferences(
        options.train, columns=options.columns or None, on_error=options.on_error
    )
    damage = check(everything)
    errors = [finding for finding in damage.findings if finding.severity == "error"]
    if errors and options.damaged == "fail":
        raise DataError(
            f"{everything.name} is damaged and data.damaged is 'fail':\n"
            + "\n".join(f"  {f.kind}: {f.count} row(s). {f.remedy}" for f in errors)
        )
    sound = without(everything, errors) if options.damaged == "remove" else everything
    removed = len(everything) - len(sound)
    if not len(sound):
        raise DataError(f"{everything.name}: every row is damaged; nothing is left to train on.")
    if not options.held_out:
        return TrainingData(sound, None, damage, removed)
    train, held_out = split(sound, options.held_out, options.split_by, options.split_seed)
    return TrainingData(train, held_out, damage.beside(leaks(held_out, train)), removed)


def train(
    config: RunConfig,
    data: TrainingData | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Run:
    """Run a configuration.

    Args:
        config: what to do.
        data: prepared data, where several runs share them; by default they are prepared here.
        overwrite: write into an output folder that is not empty.
        say: told one line per stage and per warning.

    Raises:
        ConfigurationError: options that cannot be honoured.
        DataError: data that cannot be used.
    """
    (run,) = train_seeds([config], data, overwrite=overwrite, say=say)
    return run


def train_seeds(
    configs: Sequence[RunConfig],
    data: TrainingData | None = None,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[Run]:
    """Run configurations that differ in their seed and their output alone, fitted as one batch.

    Each run is what :func:`train` makes of its configuration, which also says what the arguments
    are and what is raised. Nothing is written before all fits are done.
    """
    first = configs[0]
    if any(one.for_seed(first.training.seed, first.output) != first for one in configs):
        raise ConfigurationError("runs that are fitted together may differ in their seed alone.")
    folders = [claim_output(config.output, overwrite) for config in configs]
    if not isinstance(first.scorer, EmbeddingScorer):
        raise ConfigurationError(f"{first.scorer.label()} cannot be trained here.")
    data = data or prepare(first)
    seeds = [config.training.seed for config in configs]
    models = [EmbeddingRewardModel(first.scorer, first.objective, seed) for seed in seeds]
    drawn = prompt_bootstrap(data.train.prompt_keys(), seeds) if first.training.bootstrap else None
    fit_models(models, data.train, drawn)
    for note in models[0].report_.warnings:  # those of the other seeds repeat them
        say(f"warning: {note}")
    for folder, config, model in zip(folders, configs, models, strict=True):
        _write(folder, config, data, model, model.report_)
    return [Run(f, model, model.report_) for f, model in zip(folders, models, strict=True)]


def clear_run(folder: Path) -> None:
    """Take away what earlier runs wrote into this folder and its `seed-*` folders."""
    for seed in folder.glob("seed-*"):
        if seed.is_dir():
            clear_run(seed)
            if not any(seed.iterdir()):
                seed.rmdir()
    for name in RUN_FILES:
        (folder / name).unlink(missing_ok=True)


def saved_seed(folder: str | Path) -> int | None:
    """The training seed of a saved run; None where it does not say."""
    path = Path(folder) / "manifest.json"
    return int(json.loads(path.read_text())["seed"]) if path.is_file() else None


def saved_prompts(folder: str | Path) -> set[int]:
    """Keys of the prompts that a saved run was trained on; empty where it does not say."""
    path = Path(folder) / PROMPTS
    return set(load_file(path)["keys"].tolist()) if path.is_file() else set()


def _write(
    folder: Path,
    config: RunConfig,
    data: TrainingData,
    model: EmbeddingRewardModel,
    report: FitReport,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    clear_run(folder)
    model.save(folder)
    (folder / "config.yaml").write_text(config.to_yaml())
    keys = torch.tensor(sorted(training_prompt_keys(data.train)), dtype=torch.int64)
    save_file({"keys": keys}, folder / PROMPTS)
    if data.held_out is not None:
        write_preferences(data.held_out, folder / HELD_OUT)
    write_json(folder / "damage.json", data.damage.to_dict())
    described = {
        "train": list(config.data.train),
        "fingerprint": data.train.fingerprint,
        "rows": len(data.train),
        "held_out_rows": 0 if data.held_out is None else len(data.held_out),
        "removed_rows": data.removed,
        "unreadable_rows": len(data.train.faults),
    }
    figures = _figures(report, model)
    write_json(
        folder / "manifest.json",
        manifest(described, figures, config.training.seed) | {"warnings": list(report.warnings)},
    )
    readable = {
        "out-of-fold accuracy": str(report.out_of_fold_accuracy),
        "pairs": f"{len(data.train)} ({data.removed} damaged removed)",
        "ridge penalty": f"{report.l2:.3g}",
        "optimum": report.optimum,
    }
    damage = [f"{f.kind}: {f.count} row(s). {f.meaning}" for f in data.damage.findings]
    cautions = [*report.warnings, *damage]
    card = model_card(config.to_yaml(), config.objective.describe(), readable, cautions)
    (folder / "README.md").write_text(card)


def _figures(report: FitReport, model: EmbeddingRewardModel) -> dict[str, Any]:
    risk = report.risk
    return {
        "out_of_fold_accuracy": report.out_of_fold_accuracy.to_dict(),
        "objective": float(risk.value[0]),
        "gap": report.gap if math.isfinite(report.gap) else None,
        "optimum": report.optimum,
        "l2": report.l2,
        "l2_curve": {f"{l2:.6g}": value for l2, value in report.l2_curve.items()},
        "temperature": model.temperature_,
        "truncated_share": report.truncated,
        "identical_pairs": report.identical,
        "effective_units": float(risk.effective_units[0]),
        "worst_case_weights": [
            {"unit": name, "mass": mass, "weight": weight}
            for name, mass, weight in zip(
                report.units,
                risk.unit_mass[:, 0].tolist(),
                risk.unit_weights[:, 0].tolist(),
                strict=True,
            )
        ]
        if report.units
        else [],
        "source_conflict": report.conflict.to_dict() if report.conflict else None,
    }
