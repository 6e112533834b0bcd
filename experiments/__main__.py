"""Run an experiment: read its configuration, measure, write figures and tables.

python -m experiments NAME [--config quick] [--output DIR] [--work DIR]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from datasets import disable_progress_bars

from experiments.common import results
from experiments.common.work import Work
from surefoot.runs import claim
from surefoot.runs.atomic import write_text

HERE = Path(__file__).parent
NAMES = sorted(path.parent.name for path in HERE.glob("*/experiment.py"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write `results.json` and `results.md`."""
    given = _parser().parse_args(arguments)
    folder, label = HERE / given.name, given.name
    if given.config != "config":
        label = f"{given.name}-{given.config}"
        folder = HERE / "runs" / label
    output, work = given.output or folder, given.work or HERE / "runs" / label
    disable_progress_bars()
    module = module_of(given.name)
    place = HERE / given.name / f"{given.config}.yaml"
    settings = module.Settings(**yaml.safe_load(place.read_text()))
    # Another process with the same folder is refused; what is finished there is gone on with.
    with claim(work, "experiment", resume=True):
        figures = module.experiment(settings, Work(work))
    output.mkdir(parents=True, exist_ok=True)
    text = results.written({"settings": settings.model_dump(mode="json"), **figures})
    tables = module.markdown(results.parsed(text), settings)  # of the figures as they are kept
    write_text(output / "results.json", text)
    write_text(output / "results.md", tables)
    print(f"{tables}\n{time.process_time() / 60:.0f} minutes of processor time")


def module_of(name: str) -> Any:
    """The module with an experiment's `Settings`, `experiment` and `markdown`."""
    return import_module(f"experiments.{name}.experiment")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument(
        "--config", default="config", help="a YAML file of the experiment's folder, without its end"
    )
    parser.add_argument(
        "--output", type=Path, help="default: the experiment's folder; experiments/runs else"
    )
    parser.add_argument(
        "--work", type=Path, help="what is finished, to go on with; default: experiments/runs/NAME"
    )
    return parser


if __name__ == "__main__":
    main()
