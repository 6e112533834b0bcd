"""`surefoot score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surefoot.cli.console import quiet_libraries, say
from surefoot.cli.inputs import ReadingFlags, load_models, origins_of_run, read, tell_cuts
from surefoot.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    pass


def run(
    model: str,
    data: list[str],
    output: Path,
    source: str | None,
    reading: ReadingFlags,
    reference: str | None,
    overwrite: bool,
    precision: str | None = None,
) -> None:
    """Write a reward for each response, or a margin for each pair where the model judges pairs."""
    quiet_libraries()
    from surefoot.runs import claim_file

    places = [model, *([] if reference is None else [reference])]
    reads = [*data, *(one for place in places for one in (place, *origins_of_run(place)))]
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
    from surefoot.scorers.readable import readable
    from surefoot.statistics.estimate import finite

    models = load_models(model, reference, precision)
    if len(models) > 1:
        raise ConfigurationError(
            f"{model} holds {len(models)} seeds; name one of them, such as {model}/seed-0."
        )
    preferences = read(data, reading, source, unlabelled=True)
    preferences = readable(models, preferences, say)
    members = models[0].member_scores(preferences)  # (N, 2, K)
    scores = models[0].joined(members)  # (N, 2)
    made = _margins if models[0].pairwise else _rewards
    columns_of_scores = made(scores, members)
    columns_of_scores["p_a_preferred"] = models[0].to_probabilities(scores[:, 0] - scores[:, 1])
    with output.open("w", encoding="utf-8") as file:
        places = preferences.read("id", "file", "row")
        for i, (name, source_name, row) in enumerate(places):
            found = {column: finite(float(v[i])) for column, v in columns_of_scores.items()}
            told = {"id": name, "file": source_name, "row": row} | found
            file.write(json.dumps(told, allow_nan=False) + "\n")
    tell_cuts(models, preferences)
    if models[0].pairwise:
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
    """The same from scores of models that judge pairs."""
    margins = members[:, 0] - members[:, 1]
    found = {"margin": scores[:, 0] - scores[:, 1]}
    return found | ({"spread": margins.std(-1)} if members.shape[-1] > 1 else {})
