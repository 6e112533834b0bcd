"""Cross-fitting a language model: a training run for each fold, kept beside the results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.data.references import References
from surefoot.data.schema import Preferences
from surefoot.data.writing import write_preferences
from surefoot.errors import ConfigurationError
from surefoot.runs import require_finished
from surefoot.scorers import TrainedScorer, load_scorer
from surefoot.training.checkpoint import newest
from surefoot.training.config import RunConfig
from surefoot.training.data import prepare
from surefoot.training.folder import remove_run
from surefoot.training.run import train

#: Folder of the runs, inside that of the results.
FOLDS = "auxiliary"
#: What it holds from the start of the first run on.
FIRST = f"{FOLDS}/fold-0.jsonl"

#: What the auxiliary model's own training does not read: references and what was said before.
_ABSENT = ("references", "reference_law", "auxiliary", "reference_auxiliary")


def write_fold(pairs: Preferences, rows: Bools, path: Path) -> None:
    """The comparisons of these rows, for a run that trains on them."""
    kept = pairs.select(np.flatnonzero(rows))
    write_preferences(kept.with_columns(**{name: [None] * len(kept) for name in _ABSENT}), path)


def run_of(config: RunConfig, resume: bool, say: Callable[[str], None]) -> TrainedScorer:
    """What the run of a fold trained.

    Args:
        config: of the run.
        resume: take a run that is finished as it is, and go on from a checkpoint (which
            `training.save_every` asks for) where one was killed.
        say: called with one line per stage and per warning.
    """
    if not (resume and _is_finished(config)):
        goes_on = resume and _has_checkpoint(config)
        train(config, overwrite=not goes_on, resume=goes_on, say=say)
    return load_scorer(config.output)


def _has_checkpoint(config: RunConfig) -> bool:
    """Whether a run has a checkpoint that was written to its end."""
    try:
        newest(Path(config.output))
    except ConfigurationError:
        return False
    return True


def _is_finished(config: RunConfig) -> bool:
    """Whether the folder holds this very run, of these very data, wherever they lie."""
    folder = Path(config.output)
    try:
        require_finished(folder)
        known = json.loads((folder / "manifest.json").read_text())["data"]["fingerprint"]
        saved = RunConfig.read(folder / "config.yaml")
    except (OSError, ValueError, KeyError, TypeError, ConfigurationError):
        return False
    data = saved.data.model_copy(update={"train": config.data.train})
    same = saved.model_copy(update={"data": data, "output": config.output}) == config
    return same and known == prepare(config.data).train.fingerprint


def clear_folds(folder: Path) -> None:
    """Take away the runs of an earlier sampling, and what they were trained on."""
    for path in (folder / FOLDS).glob("fold-*"):
        if path.is_dir():
            remove_run(path)
        else:
            path.unlink()


def judged_out_of_fold(
    models: Sequence[Callable[[], TrainedScorer]],
    pairs: Preferences,
    references: References | None,
    fold: Ints,
    judge_of: Ints,
) -> tuple[Floats, list[Floats]]:
    """What the model of each fold says of its rows, and of the references of those.

    Args:
        models: K functions that train or load a model; one is in memory at a time.
        pairs: N comparisons.
        references: P pairs of references.
        fold: (N,) the fold of each row.
        judge_of: (P,) the fold whose model judges a reference pair for all rows; -1: the row's.

    Returns:
        (N,) probabilities; and for each fold the (P,) probabilities of the reference pairs that it
        judges or that count for one of its rows, NaN for the others.
    """
    chances, judged = np.full(len(pairs), np.nan), []
    for k, model_of in enumerate(models):
        model, rows = model_of(), np.flatnonzero(fold == k)
        chances[rows] = model.probabilities(pairs.select(rows))
        if references is not None:
            own = judge_of == k
            count = np.flatnonzero(own | np.isin(references.sets, references.of[rows]))
            judged.append(np.full(len(references.pairs), np.nan))
            judged[k][count] = model.probabilities(references.pairs.select(count))
    return chances, judged
