"""`surefoot calibrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from surefoot.cli.arguments import MODEL, LoadingFlags, ReadingFlags, Source
from surefoot.cli.console import conclude, say
from surefoot.cli.inputs import load_one, read, run_folders, say_notes
from surefoot.errors import ConfigurationError
from surefoot.paths import FILES


def calibrate(
    run: Annotated[str, typer.Argument(help="A run folder."), MODEL],
    data: Annotated[
        list[str],
        typer.Argument(help="Labelled pairs that it was not trained on: files or hub."),
        FILES,
    ],
    *,
    source: Source = None,
    reading: ReadingFlags,
    loading: LoadingFlags,
) -> None:
    """Fit a run's probabilities to pairs like those that it will judge.

    Writes another temperature into the run folder, and the old one beside it. Rewards and the
    order of responses stay as they are.

    For example:

        surefoot calibrate runs/robust calibration.jsonl
    """
    from surefoot.evaluation.pairs.overlap import prompt_overlap
    from surefoot.scorers.ensemble_file import is_ensemble
    from surefoot.scorers.recalibration import recalibrate
    from surefoot.scorers.trained import readable
    from surefoot.training.folder import saved_prompts

    if is_ensemble(run):
        raise ConfigurationError(
            f"{run} is an ensemble, whose temperature is fitted whenever it is read: name the "
            "pairs there (calibration: [pairs.jsonl])."
        )
    model = load_one(run, "surefoot calibrate", loading)
    (folder,) = run_folders(run)
    pairs = readable([model], read(data, reading, source), say)
    seen = prompt_overlap(saved_prompts(folder), pairs)
    if seen.rows:
        say(
            f"warning: {seen.rows} of {seen.n} pairs ({seen.share:.1%}) have a prompt that occurs "
            "in training: of these a model is surer than of others, and so is this temperature."
        )
    found = recalibrate(folder, model, pairs)
    say_notes([model], f"{pairs.name}: ")
    if found.note:
        say(f"warning: {found.note}")
    conclude(
        f"Temperature {found.before:.3g} before, {found.after:.3g} now; log-loss on these "
        f"{found.rows:,} pairs {found.log_loss_before:.4f} before, {found.log_loss_after:.4f} now "
        "(fitted on them: on others it gains less).",
        *("evaluate", run, "TEST.jsonl", "--output", "report"),
    )
