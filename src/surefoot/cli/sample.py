"""`surefoot sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.arguments import Configuration, Overwrite
from surefoot.cli.console import conclude, confirmed, out, say
from surefoot.cli.train import overrides

if TYPE_CHECKING:
    from surefoot.nuisance import Sampled


def sample(
    context: typer.Context,
    configuration: Configuration,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the references of the output folder.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before a judge is sent the texts.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Add what VRPO needs to preferences: reference responses, and an auxiliary model's judgment.

    References come from a language model (reference: {kind: language-model, model: ...}), from the
    data as a pool, or from a column. The auxiliary model is fitted on the data by cross-fitting, a
    judge behind an endpoint, or a column. Train on the `pairs.jsonl.gz` that it writes.

    For example:

        surefoot sample evidence.yaml
        surefoot sample evidence.yaml --reference.pairs 8 --output samples/eight
    """
    from surefoot import nuisance
    from surefoot.options import require_places

    config = nuisance.SampleConfig.read(configuration, overrides(context.args))
    if not resume:
        require_places(config)
    conditions = nuisance.Conditions(proceed=lambda cost: yes or confirmed(cost), say=say)
    sampled = nuisance.sample(config, conditions, overwrite=overwrite, resume=resume)
    _show(sampled, Path(config.output))


def _verdict(sampled: Sampled) -> str:
    """What there is to train on, and whether the references are like the data."""
    count = len(sampled.pairs)
    if sampled.check is None:
        return f"{count:,} pairs are ready for VRPO."
    return f"{count:,} pairs are ready for VRPO. {sampled.check.verdict}"


def _show(sampled: Sampled, folder: Path) -> None:
    from surefoot.nuisance.evidence import PAIRS

    for part in (sampled.collected, sampled.judged):
        for note in part.notes if part else ():
            say(note)
    if sampled.check is not None:
        check = sampled.check
        out.print(
            f"Reference check: AUC {check.auc} (.5: alike); data longer than references "
            f"{check.longer}. {check.verdict}"
        )
    say(f"wrote {folder / PAIRS}: {len(sampled.pairs)} pairs")
    pairs = folder / PAIRS
    conclude(
        _verdict(sampled),
        "train",
        "CONFIG",
        "--data.train",
        pairs,
        "--objective.labels",
        "control-variate",
    )
