"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write into an output folder that is not empty.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="Your name of a column, as in `prompt=question`. Repeatable."),
]

Source = Annotated[
    str | None,
    typer.Option(help="Source of rows that give none; a source-aware model needs a known one."),
]

Reference = Annotated[
    str | None,
    typer.Option(help="What a policy was trained from; of a run: where that lies now."),
]
