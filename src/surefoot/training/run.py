"""A training run: read, check, train, save. Configuration in, run folder out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.errors import ConfigurationError
from surefoot.scorers import EmbeddingRewardModel
from surefoot.scorers.fit.report import FitReport
from surefoot.scorers.language.model import LanguageModel
from surefoot.training.config import RunConfig
from surefoot.training.data import TrainingData, clustered, prepare, tell_data, tell_units
from surefoot.training.embedding_run import train_embedding_models
from surefoot.training.life_cycle import Say, open_runs, silent
from surefoot.training.options import LanguageTrainingOptions

if TYPE_CHECKING:
    from surefoot.training.language.language_run import LanguageReport


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, the model and what the training had to say."""

    folder: Path
    model: EmbeddingRewardModel | LanguageModel
    report: FitReport | LanguageReport


def train(
    config: RunConfig,
    data: TrainingData | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    say: Say = silent,
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
    say: Say = silent,
    root: str | None = None,
    reads: Iterable[str | Path] = (),
) -> list[Run]:
    """Run configurations that differ in their seed and their output alone.

    Each run is what :func:`train` makes of its configuration, which also says what is raised. Heads
    on frozen embeddings are fitted on texts that are read once, and nothing is written before all
    fits are done; language models are trained one after the other.

    Several that are resumed are what one would be: language models that are finished stay, one that
    was begun goes on from its last checkpoint if it has any, and the others begin. Heads are fitted
    again, which takes seconds.

    The arguments are those of :func:`train` and of
    :func:`~surefoot.training.life_cycle.open_runs`.

    Returns:
        One run for each configuration that was run now; none on processes that do not save.
    """
    first, language = configs[0], False
    if isinstance(first.training, LanguageTrainingOptions):
        # Both import transformers' Trainer, which takes seconds.
        from surefoot.training.language.arguments import trackers
        from surefoot.training.language.language_run import train_language_model

        language = True
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
        say = runs[0].say
        if data is None:
            data = prepare(first.data)
            tell_data(data, first.data, say)
        data = clustered(data, first, Path(first.output) if resume else None, say)
        tell_units(data, first, say)
        if not language:
            models = train_embedding_models(runs, data)
            return [Run(run.path, one, one.report_) for run, one in zip(runs, models, strict=True)]
        trained = [(run.path, train_language_model(run, data)) for run in runs]
        return [Run(path, *found) for path, found in trained if found is not None]
