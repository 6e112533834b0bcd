"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

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
    typer.Option(min=0, max=1, help="Share of a file's rows that may be unusable. [0.05]"),
]
NoPrompt = Annotated[
    bool, typer.Option("--no-prompt", help="The data have no prompt; none is asked for or implied.")
]

Source = Annotated[
    str | None,
    typer.Option(help="Source of rows that give none; a source-aware model needs a known one."),
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
    typer.Option(help="What a policy was trained from; of a run: where that lies now."),
]
