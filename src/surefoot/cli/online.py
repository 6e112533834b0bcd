"""`surefoot train` with `objective: {kind: online}`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.cli.console import out, say, table
from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from surefoot.online.training import OnlineRun

#: Groups that the table shows, at most.
_MOST_SHOWN = 20


def is_online(options: Mapping[str, Any]) -> bool:
    """Whether these options by name ask for online training."""
    from surefoot.online.config import is_online

    return is_online(options)


def run_online(options: Mapping[str, Any], seeds: int, how: Mapping[str, Any]) -> None:
    """Train one run, or one per seed, and print what came out.

    Args:
        options: the configuration, by name.
        seeds: how many.
        how: what :func:`~surefoot.online.training.train_online_seeds` takes beside.
    """
    if find_spec("trl") is None:
        raise ConfigurationError(
            "online training stands on TRL, which is absent: pip install 'surefoot[online]'."
        )
    from surefoot.online import OnlineConfig
    from surefoot.online.training import train_online_seeds

    config = OnlineConfig(**options)
    root = config.output if seeds > 1 else None
    for found in train_online_seeds(config.for_seeds(seeds), root=root, **how):
        say(f"wrote {found.folder}")
        _show(found)


def _show(run: OnlineRun) -> None:
    from surefoot.online.report import SHOWN

    report = run.report
    shown = [name for name in SHOWN if name in report.last]
    table(
        "The last log",
        ["run", "steps", *(name.replace("_", " ") for name in shown)],
        [[str(Path(run.folder)), str(report.steps), *(f"{report.last[n]:.4g}" for n in shown)]],
    )
    if report.along is not None:
        out.print(report.along.sentence, soft_wrap=True)
    if not report.groups:
        return
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
