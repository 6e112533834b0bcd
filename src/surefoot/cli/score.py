"""`surefoot score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from surefoot.cli.arguments import (
    Codings,
    Columns,
    MaxUnusable,
    NoPrompt,
    Overwrite,
    Precision,
    Reference,
    Source,
)
from surefoot.cli.console import quiet_libraries, say
from surefoot.cli.inputs import ReadingFlags, load_one, read
from surefoot.cli.results import origins_of_run
from surefoot.errors import DataError


def score(
    model: Annotated[str, typer.Argument(help="A run folder, or a transformers model.")],
    data: Annotated[list[str], typer.Argument(help="Files or hub data sets.")],
    output: Annotated[Path, typer.Option(help="JSON lines: a reward for each response.")],
    source: Source = None,
    column: Columns = None,
    coding: Codings = None,
    max_unusable: MaxUnusable = None,
    no_prompt: NoPrompt = False,
    reference: Reference = None,
    precision: Precision = None,
    overwrite: Overwrite = False,
) -> None:
    """A reward for each response, and P(a preferred) for each pair; labels are not needed.

    A model that judges pairs has no rewards: a margin for each pair instead.

    For example:

        surefoot score runs/robust pairs.jsonl --output rewards.jsonl
    """
    quiet_libraries()
    from surefoot.runs import claim_file

    places = [model, *([] if reference is None else [reference])]
    reads = [*data, *(one for place in places for one in (place, *origins_of_run(place)))]
    reading = ReadingFlags(column, coding, max_unusable, no_prompt)
    with claim_file(output, overwrite=overwrite, reads=reads) as part:
        count, odd = _score(model, data, part, source, reading, reference, precision)
    say(f"wrote {count} rows to {output}")
    if odd:
        raise DataError(
            f"{model} gives no finite score to {len(odd)} of {count} pairs, the first in line "
            f"{odd[0] + 1} of {output}: null is written. The model may have diverged in training."
        )


def _score(
    model: str,
    data: list[str],
    output: Path,
    source: str | None,
    reading: ReadingFlags,
    reference: str | None,
    precision: str | None,
) -> tuple[int, list[int]]:
    """Write the rows; their number, and which have a score that is not finite, written as null."""
    from surefoot.evaluation.run import notes_of
    from surefoot.scorers.readable import readable
    from surefoot.statistics.estimate import finite

    scorer = load_one(model, "surefoot score", reference, precision)
    preferences = readable([scorer], read(data, reading, source, unlabelled=True), say)
    members = scorer.member_scores(preferences)  # (N, 2, K)
    scores = scorer.joined(members)  # (N, 2)
    made = _margins if scorer.pairwise else _rewards
    columns_of_scores = made(scores, members)
    columns_of_scores["p_a_preferred"] = scorer.to_probabilities(scores[:, 0] - scores[:, 1])
    with output.open("w", encoding="utf-8") as file:
        places = preferences.read("id", "file", "row")
        for i, (name, source_name, row) in enumerate(places):
            found = {column: finite(float(v[i])) for column, v in columns_of_scores.items()}
            record = {"id": name, "file": source_name, "row": row} | found
            file.write(json.dumps(record, allow_nan=False) + "\n")
    for note in notes_of([scorer]):
        say(f"note: {preferences.name}: {note}")
    if scorer.pairwise:
        say(
            f"note: {model} judges pairs: a response alone has no reward, so each row holds the "
            "margin of its pair."
        )
    finite_rows = np.isfinite(np.stack(list(columns_of_scores.values()))).all(axis=0)
    return len(scores), np.flatnonzero(~finite_rows).tolist()


def _rewards(scores: Any, members: Any) -> dict[str, Any]:
    """Columns from rewards (N, 2) and (N, 2, K): of each response, and how far members disagree."""
    spread = members.std(-1)
    found = {"reward_a": scores[:, 0], "reward_b": scores[:, 1]}
    several = members.shape[-1] > 1
    return found | ({"spread_a": spread[:, 0], "spread_b": spread[:, 1]} if several else {})


def _margins(scores: Any, members: Any) -> dict[str, Any]:
    """Margins from scores of models that judge pairs."""
    margins = members[:, 0] - members[:, 1]
    found = {"margin": scores[:, 0] - scores[:, 1]}
    return found | ({"spread": margins.std(-1)} if members.shape[-1] > 1 else {})
