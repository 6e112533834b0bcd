"""A training run: read, check, train, save. Configuration in, run folder out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.data import read_preferences
from surefoot.data.checks import check, with_leaks, without
from surefoot.data.reading.account import lines_of
from surefoot.data.splits import split
from surefoot.data.units import pairs_per_unit, unit_ids
from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import Objective
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.scorers.embeddings.encoder import EncoderOptions
from surefoot.scorers.fit.report import FitReport
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import LanguageModelScorer
from surefoot.training.config import DataOptions, LanguageTrainingOptions, RunConfig
from surefoot.training.embedding_run import train_embedding_models
from surefoot.training.folder import TrainingData
from surefoot.training.language.language_run import LanguageReport, train_language_model
from surefoot.training.life_cycle import open_runs


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, the model and what the training had to say."""

    folder: Path
    model: EmbeddingRewardModel | LanguageModel
    report: FitReport | LanguageReport


def prepare(options: DataOptions) -> TrainingData:
    """Read and check the data of a run, remove what is damaged, split.

    Raises:
        DataError: unreadable data, or damage where `data.damaged` is `fail`.
    """
    everything = read_preferences(options.train, **options.reading())
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
    held_out = replace(held_out, name=f"{held_out.name}, held out")
    return TrainingData(train, held_out, with_leaks(damage, held_out, train), removed)


def clustered(
    data: TrainingData,
    config: RunConfig,
    folder: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> TrainingData:
    """The data with the clusters of prompts that the risk is over, where it is over such.

    They are found among the training prompts (seeded by `data.split_seed`, so that every training
    seed has the same) and kept for all others; a column `cluster` in the data is taken as it is.

    Args:
        data: ready to train on.
        config: of the run.
        folder: of a run that is resumed, whose clusters are taken.
        say: called with a line where a column of the data is taken.

    Raises:
        DataError: fewer distinct prompts than clusters.
    """
    objective, scorer = config.objective, config.scorer
    if not isinstance(objective, Objective):
        return data
    options = scorer.encoder if isinstance(scorer, EmbeddingScorer) else EncoderOptions()
    seed = config.data.split_seed
    clusters = PromptClusters.for_risk(objective.risk, data.train, options, seed, folder, say)
    if clusters is None:
        return data
    held_out = None if data.held_out is None else clusters.beside(data.held_out)
    return replace(data, train=clusters.beside(data.train), held_out=held_out, clusters=clusters)


#: Share of damaged rows from which they are most of what there is; held-out pairs that say little.
_MANY, _FEW = 0.25, 10


def _tell_data(data: TrainingData, options: DataOptions, say: Callable[[str], None]) -> None:
    """What was read, what is damaged, and what is held out."""
    for line in lines_of(data.train.readings, data.train.faults):
        say(line)
    say(f"data: {len(data.train)} pairs from {data.train.name}")
    for finding in data.damage.findings:
        if finding.severity != "note":
            share = finding.share
            most = f" That is {share:.0%} of the data: look at it first." if share > _MANY else ""
            say(f"warning: {finding.kind}: {finding.count} row(s). {finding.meaning}{most}")
    if data.removed:
        say(f"removed {data.removed} damaged row(s); `surefoot audit` shows them")
    if data.held_out is not None:
        say(f"held out {len(data.held_out)} pairs")
        if len(data.held_out) < _FEW:
            say(
                "warning: so few held-out pairs tell nothing: raise data.held_out. Pairs of one "
                f"prompt (data.split_by: {options.split_by}) are on one side together."
            )


def _tell_units(data: TrainingData, config: RunConfig, say: Callable[[str], None]) -> None:
    """How many pairs the units of the risk have: with one each, a risk over units is over pairs."""
    objective = config.objective
    if isinstance(objective, Objective) and objective.risk.unit != "pair":
        ids, _ = unit_ids(data.train, objective.risk.unit)
        say(f"risk over {objective.risk.unit}s: {pairs_per_unit(ids)}")


def train(
    config: RunConfig,
    data: TrainingData | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Run:
    """Run a configuration.

    Args:
        config: what to do.
        data: prepared data, where several runs share them; by default they are prepared here.
        overwrite: write into an output folder that is not empty.
        resume: go on from the last checkpoint in the output folder.
        say: called with one line per stage and per warning.

    Raises:
        ConfigurationError: options that cannot be honoured.
        DataError: data that cannot be used.
    """
    runs = train_seeds([config], data, overwrite=overwrite, resume=resume, say=say)
    if not runs:
        raise ConfigurationError(
            f"no run is returned: {config.output} is finished already, or this is not the first of "
            "several processes. load_scorer reads what is there; train_seeds returns an empty list."
        )
    return runs[0]


def train_seeds(
    configs: Sequence[RunConfig],
    data: TrainingData | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
    root: str | None = None,
    reads: Iterable[str | Path] = (),
) -> list[Run]:
    """Run configurations that differ in their seed and their output alone.

    Each run is what :func:`train` makes of its configuration, which also says what the arguments
    are and what is raised. Heads on frozen embeddings are fitted as one batch, and nothing is
    written before all fits are done; language models are trained one after the other.

    Several that are resumed are what one would be: language models that are finished stay, one that
    was begun goes on from its last checkpoint if it has any, and the others begin. Heads are fitted
    again, which takes seconds.

    The arguments are those of :func:`train` and of
    :func:`~surefoot.training.life_cycle.open_runs`.

    Returns:
        One run for each configuration that was run now; none on processes that do not save.
    """
    first = configs[0]
    language = isinstance(first.scorer, LanguageModelScorer)
    if isinstance(first.training, LanguageTrainingOptions):
        from surefoot.training.language.arguments import trackers  # imports transformers' Trainer

        trackers(first.training.report_to)  # before the data are read
    with open_runs(
        configs,
        root=root,
        overwrite=overwrite,
        resume=resume,
        say=say,
        reads=reads,
        one_computation=not language,
    ) as runs:
        if not runs:
            return []
        if data is None:
            data = prepare(first.data)
            _tell_data(data, first.data, runs[0].say)
        begun = Path(first.output) if resume else None
        data = clustered(data, first, begun, runs[0].say)
        _tell_units(data, first, runs[0].say)
        if not language:
            models = train_embedding_models(runs, data)
            return [Run(run.path, one, one.report_) for run, one in zip(runs, models, strict=True)]
        trained = [(run.path, train_language_model(run, data)) for run in runs]
        return [Run(path, *found) for path, found in trained if found is not None]
