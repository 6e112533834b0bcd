"""Options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter(f"a finite number is needed; got {value}.")
    return value


Report = Annotated[
    Path, typer.Option("--output", help="Folder for evaluation.json and report.html.")
]
Model = Annotated[
    str, typer.Argument(help="A run folder, one that holds seeds, or a transformers model.")
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="A run folder to compare with, pair by pair.")
]
TestData = Annotated[list[str], typer.Argument(help="Files, hub data sets or names of suites.")]
Suites = Annotated[
    Path | None,
    typer.Option("--suites", help="Folder that holds the suites, instead of their origins."),
]
TieTolerance = Annotated[
    float,
    typer.Option(
        "--tie-tolerance",
        min=0,
        callback=_finite,
        help="Rewards this close, or judgments this close to 1/2, are a tie: it counts half.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Send to a judge at an endpoint without asking.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write into an output folder that is not empty.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        help="Your name of a column, as in `prompt=question`; `source=`: yours is another thing. "
        "Repeatable.",
    ),
]
Codings = Annotated[
    list[str] | None,
    typer.Option(
        "--coding",
        help="How a label column is coded, as in `label=first-is-0` or `label=1:a,2:b,3:tie`. "
        "Repeatable.",
    ),
]
MaxUnusable = Annotated[
    float | None,
    typer.Option(
        "--max-unusable", min=0, max=1, help="Share of a file's rows that may be unusable. [0.05]"
    ),
]
NoPrompt = Annotated[
    bool, typer.Option("--no-prompt", help="The data have no prompt; none is asked for or implied.")
]

Source = Annotated[
    str | None,
    typer.Option(
        "--source", help="Source of rows that give none; a source-aware model needs a known one."
    ),
]

Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="Of the passes of language models: float32, bfloat16 or auto. [as trained; models of "
        "another origin: auto]",
    ),
]

Reference = Annotated[
    str | None,
    typer.Option(
        "--reference", help="What a policy was trained from; of a run: where that lies now."
    ),
]
