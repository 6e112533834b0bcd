"""The command line of every experiment: read a configuration, run, write figures and tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from datasets import disable_progress_bars

from surefoot.options import Options
from surefoot.runs import claim
from surefoot.runs.atomic import write_text

S = TypeVar("S", bound=Options)
#: Figures, JSON-ready, and the tables.
Found = tuple[Mapping[str, Any], str]


def command(settings: type[S], experiment: Callable[[S], Found], about: str) -> None:
    """`CONFIG [--output DIR]`: writes `NAME.json` and `NAME.md`, named as the configuration.

    Args:
        settings: what the configuration holds.
        experiment: run on them.
        about: the script's docstring; `--help` shows its first line.
    """
    given = _parser(about).parse_args()
    _write(given, settings, experiment)


def command_with_work(
    settings: type[S], experiment: Callable[[S, Path], Found], about: str
) -> None:
    """The same with `--work DIR`, where an experiment keeps what is finished."""
    parser = _parser(about)
    parser.add_argument("--work", type=Path, help="default: experiments/runs/NAME")
    given = parser.parse_args()
    work = given.work or Path("experiments/runs") / given.config.stem
    # Another process with the same folder is refused; what is finished there is gone on with.
    with claim(work, "experiment", resume=True):
        _write(given, settings, lambda made: experiment(made, work))


def _parser(about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--output", type=Path, default=Path("experiments/results"))
    return parser


def _write(given: argparse.Namespace, settings: type[S], experiment: Callable[[S], Found]) -> None:
    disable_progress_bars()
    made = settings(**yaml.safe_load(given.config.read_text()))
    figures, tables = experiment(made)
    given.output.mkdir(parents=True, exist_ok=True)
    content = {"settings": made.model_dump(mode="json"), **figures}
    write_text(given.output / f"{given.config.stem}.json", json.dumps(content, indent=1) + "\n")
    write_text(given.output / f"{given.config.stem}.md", tables)
    print(tables)
