"""`surefoot score`."""

from __future__ import annotations

import json
from pathlib import Path

from surefoot.cli.console import quiet_libraries, say
from surefoot.cli.inputs import load_models, read
from surefoot.errors import ConfigurationError


def run(
    model: str,
    data: list[str],
    output: Path,
    source: str | None,
    columns: list[str],
    reference: str | None,
    overwrite: bool,
) -> None:
    """Write a reward for each response."""
    quiet_libraries()
    if output.exists() and not overwrite:
        raise ConfigurationError(f"{output} exists. Name another output, or pass --overwrite.")
    models = load_models(model, reference)
    if len(models) > 1:
        raise ConfigurationError(
            f"{model} holds {len(models)} seeds; name one of them, such as {model}/seed-0."
        )
    preferences = read(data, columns, source, unlabelled=True)
    members = models[0].member_rewards(preferences)  # (N, 2, K)
    rewards, spread = members.mean(-1), members.std(-1)
    probabilities = models[0].to_probabilities(rewards[:, 0] - rewards[:, 1])
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", encoding="utf-8") as file:
        places = preferences.read("id", "file", "row")
        columns_of_scores = zip(places, rewards, spread, probabilities, strict=True)
        for (name, source_name, row), (a, b), (spread_a, spread_b), p in columns_of_scores:
            scores = {"reward_a": float(a), "reward_b": float(b), "p_a_preferred": float(p)}
            if members.shape[-1] > 1:  # how far the members of the ensemble disagree
                scores |= {"spread_a": float(spread_a), "spread_b": float(spread_b)}
            file.write(json.dumps({"id": name, "file": source_name, "row": row} | scores) + "\n")
    say(f"wrote {len(rewards)} rows to {output}")
