"""`surefoot score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.arguments import MODEL, LoadingFlags, Overwrite, ReadingFlags, Source
from surefoot.cli.console import conclude, say
from surefoot.cli.inputs import load_one, read, say_notes
from surefoot.cli.results import with_origins
from surefoot.errors import DataError
from surefoot.paths import FILES

if TYPE_CHECKING:
    from surefoot.arrays import Floats
    from surefoot.data import Preferences
    from surefoot.scorers import TrainedScorer


def score(
    model: Annotated[
        str,
        typer.Argument(
            help="A run folder, a transformers model, or a function of prompts and responses "
            "(rewards.py:name)."
        ),
        MODEL,
    ],
    data: Annotated[list[str], typer.Argument(help="Files or hub data sets."), FILES],
    output: Annotated[Path, typer.Option(help="JSON lines: a reward for each response.")],
    *,
    source: Source = None,
    reading: ReadingFlags,
    loading: LoadingFlags,
    overwrite: Overwrite = False,
) -> None:
    """A reward for each response, and P(a preferred) for each pair; labels are not needed.

    A model that judges pairs has no rewards: a margin for each pair instead.

    For example:

        surefoot score runs/robust pairs.jsonl --output rewards.jsonl
    """
    from surefoot.runs import claim_file
    from surefoot.scorers.trained import readable

    reads = [*data, *with_origins([model, loading.reference])]
    with claim_file(output, overwrite=overwrite, reads=reads) as part:
        scorer = load_one(model, "surefoot score", loading)
        pairs = readable([scorer], read(data, reading, source, unlabelled=True), say)
        columns = scored(scorer, pairs)
        odd = _write(part, pairs, columns)
        say_notes([scorer], f"{pairs.name}: ")
        if scorer.pairwise:
            say(
                f"note: {model} judges pairs: a response alone has no reward, so each row holds "
                "the margin of its pair."
            )
    say(f"wrote {len(pairs)} rows to {output}")
    conclude(
        _verdict(model, columns["p_a_preferred"]),
        "evaluate",
        model,
        "LABELLED.jsonl",
        "--output",
        "report",
    )
    if len(odd):
        raise DataError(
            f"{model} gives no finite score to {len(odd)} of {len(pairs)} pairs, the first in line "
            f"{odd[0] + 1} of {output}: null is written. The model may have diverged in training."
        )


def _verdict(model: str, chances: Floats) -> str:
    """What the scores of N pairs say, from P(a preferred) (N,)."""
    import numpy as np

    from surefoot.statistics.ties import side_of_half

    known = chances[np.isfinite(chances)]
    sides = side_of_half(known)
    share = float((sides > 0).mean()) if len(known) else 0.0
    sure = float(np.abs(known - 0.5).mean()) + 0.5 if len(known) else 0.5
    return (
        f"{model} prefers the first response in {share:.0%} of {len(chances):,} pairs, and gives "
        f"its choice a probability of {sure:.2f} in the mean."
    )


def scored(scorer: TrainedScorer, pairs: Preferences) -> dict[str, Any]:
    """What is written of N pairs, by column (N,): scores, and how far members disagree."""
    members = scorer.member_scores(pairs)  # (N, 2, K)
    scores = scorer.joined(members)  # (N, 2)
    margins = scores[:, 0] - scores[:, 1]
    if scorer.pairwise:
        found = {"margin": margins}
        spread = {"spread": (members[:, 0] - members[:, 1]).std(-1)}
    else:
        found = {"reward_a": scores[:, 0], "reward_b": scores[:, 1]}
        spread = {"spread_a": members[:, 0].std(-1), "spread_b": members[:, 1].std(-1)}
    if members.shape[-1] > 1:
        found |= spread
    return found | {"p_a_preferred": scorer.to_probabilities(margins)}


def _write(output: Path, pairs: Preferences, columns: dict[str, Any]) -> Any:
    """Write the rows; which of them have a score that is not finite, written as null."""
    import numpy as np

    from surefoot.statistics.estimate import finite

    with output.open("w", encoding="utf-8") as file:
        for i, place in enumerate(pairs.read("id", "file", "row")):
            record = dict(zip(("id", "file", "row"), place, strict=True))
            record |= {name: finite(float(values[i])) for name, values in columns.items()}
            file.write(json.dumps(record, allow_nan=False) + "\n")
    return np.flatnonzero(~np.isfinite(np.stack(list(columns.values()))).all(axis=0))
