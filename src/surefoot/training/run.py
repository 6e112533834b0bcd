"""A training run: read, check, train, save. Configuration in, run folder out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.data import read_preferences
from surefoot.data.checks import check, leaks, without
from surefoot.data.splits import split
from surefoot.data.units import pairs_per_unit, unit_ids
from surefoot.errors import ConfigurationError, DataError
from surefoot.objectives import Objective
from surefoot.runs import RunFolder, claim
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.clusters import PromptClusters
from surefoot.scorers.encoder import EncoderOptions
from surefoot.scorers.fit_report import FitReport
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import LanguageModelScorer
from surefoot.training.config import DataOptions, RunConfig
from surefoot.training.embedding_run import train_embedding_models
from surefoot.training.folder import TrainingData, reads_of
from surefoot.training.language_run import LanguageReport, train_language_model
from surefoot.training.resume import Seeds, newest_of, not_finished


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
    return TrainingData(train, held_out, damage.beside(leaks(held_out, train)), removed)


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
        say: told where a column of the data is taken.

    Raises:
        DataError: fewer distinct prompts than clusters.
    """
    objective, scorer = config.objective, config.scorer
    if not isinstance(objective, Objective):
        return data
    options = scorer.encoder if isinstance(scorer, EmbeddingScorer) else EncoderOptions()
    seed = config.data.split_seed
    made = PromptClusters.for_risk(objective.risk, data.train, options, seed, folder, say)
    if made is None:
        return data
    held_out = None if data.held_out is None else made.beside(data.held_out)
    return replace(data, train=made.beside(data.train), held_out=held_out, clusters=made)


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
        say: told one line per stage and per warning.

    Raises:
        ConfigurationError: options that cannot be honoured.
        DataError: data that cannot be used.
    """
    (run,) = train_seeds([config], data, overwrite=overwrite, resume=resume, say=say)
    return run


def train_seeds(
    configs: Sequence[RunConfig],
    data: TrainingData | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
    root: RunFolder | None = None,
) -> list[Run]:
    """Run configurations that differ in their seed and their output alone.

    Each run is what :func:`train` makes of its configuration, which also says what the arguments
    are and what is raised. Heads on frozen embeddings are fitted as one batch, and nothing is
    written before all fits are done; language models are trained one after the other.

    Several that are resumed are what one would be: language models that are finished stay, one that
    was begun goes on from its last checkpoint if it has any, and the others begin. Heads are fitted
    again, which takes seconds.

    Args:
        configs: of the runs.
        data: as of :func:`train`.
        overwrite: as of :func:`train`.
        resume: as of :func:`train`.
        say: as of :func:`train`.
        root: a folder of all, whose earlier runs are taken away once nothing is left that could be
            refused, and which is marked as finished at the end.

    Returns:
        One run for each configuration that was run now; none on processes that do not save.
    """
    first = configs[0]
    if any(one.for_seed(first.training.seed, first.output) != first for one in configs):
        raise ConfigurationError("runs that are fitted together may differ in their seed alone.")
    with ExitStack() as stack:
        reads = reads_of(first)
        folders = [
            stack.enter_context(
                claim(one.output, "train", overwrite=overwrite, resume=resume, reads=reads)
            )
            for one in configs
        ]
        todo = list(zip(folders, configs, strict=True))
        language = isinstance(first.scorer, LanguageModelScorer)
        seeds = Seeds(root, [folder.path.name for folder in folders], resume)
        if resume:
            todo = not_finished(todo, say, together=not language)
        if not todo:
            seeds.finish()
            return []
        begun = folders[0].path if resume else None
        data = clustered(data or prepare(first.data), first, begun, say)
        _tell_units(data, first, say)
        if language:
            runs = _language_models(todo, data, say, seeds)
        else:
            models = train_embedding_models(
                [one for _, one in todo], [folder for folder, _ in todo], data, say, seeds.begin
            )
            runs = [
                Run(folder.path, model, model.report_)
                for (folder, _), model in zip(todo, models, strict=True)
            ]
        seeds.finish()
    return runs


def _language_models(
    claimed: Sequence[tuple[RunFolder, RunConfig]],
    data: TrainingData,
    say: Callable[[str], None],
    seeds: Seeds,
) -> list[Run]:
    found = []
    for folder, config in claimed:
        checkpoint = newest_of(folder.path, config, say) if seeds.resume else None
        trained = train_language_model(config, data, folder, checkpoint, say, seeds.begin)
        found += [] if trained is None else [Run(folder.path, *trained)]
    return found
