"""Unequal shares: two sides at 90:10 in training, and 50:50 or 10:90 in use.

Two pairs of sides that want different things: HH helpful and harmless; and twenty personas of
model_written_evals (ten and ten, opposed two by two), each of which says which of "Yes" and "No" it
would answer to a statement. Every method sees the same pairs; the test holds other prompts, as many
of each side, and is weighed to the shares in use.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from experiments.common.embedding import Method, fitted
from experiments.common.tables import correct, estimate, marked, remaining, short, table
from experiments.common.work import Work
from surefoot.data import Preferences, read_preferences
from surefoot.data.schema import concatenate
from surefoot.evaluation.pairs.judgments import judge
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.statistics import hierarchical, hierarchical_difference

#: Share of the rare side in use, by the column's name.
SHARES = {"as trained": 0.1, "50:50": 0.5, "10:90": 0.9}
#: What the rare side is called in the data.
RARE = "rare"


class Part(Options):
    """One pair of sides."""

    data: Literal["hh", "personas"]
    """Where the pairs come from."""
    frequent: tuple[str, ...]
    """Sources that make up 90 % of the training pairs."""
    rare: tuple[str, ...]
    """Sources that make up 10 %."""
    training: int = Field(ge=100)
    """Training pairs."""
    test: int = Field(ge=20)
    """Test pairs of each side."""


class Settings(Options):
    """The experiment."""

    seeds: int = Field(10, ge=3)
    parts: dict[str, Part]
    methods: dict[str, Method]


def _suites() -> Path:
    if not (place := os.environ.get("SUREFOOT_SUITES")):
        raise SystemExit("set SUREFOOT_SUITES to the folder of the real data.")
    return Path(place)


def _hh(part: Part) -> Preferences:
    """HH's two test files, with their source."""
    place = _suites() / "hh_rlhf"
    read = [
        read_preferences(place / f"{name}-base.test.jsonl.gz", source_name=name)
        for name in (*part.frequent, *part.rare)
    ]
    return concatenate(read, "HH")


def _personas(part: Part) -> Preferences:
    """Statements to which each persona says Yes or No, in random order."""
    place = _suites() / "model_written_evals" / "persona.jsonl.gz"
    rng, rows = np.random.default_rng(0), []
    with gzip.open(place, "rt", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record["behavior"] not in (*part.frequent, *part.rare):
                continue
            answers = [record["answer_matching_behavior"], record["answer_not_matching_behavior"]]
            turned = int(rng.integers(2))
            rows.append(
                {
                    "prompt": record["question"],
                    "response_a": answers[turned].strip(),
                    "response_b": answers[1 - turned].strip(),
                    "label": float(1 - turned),
                    "source": record["behavior"],
                }
            )
    return Preferences.from_rows(rows, "personas")


LOAD: dict[str, Callable[[Part], Preferences]] = {"hh": _hh, "personas": _personas}


def split(part: Part, pairs: Preferences, seed: int) -> tuple[Preferences, Preferences]:
    """Training pairs at 90:10 and test pairs of other prompts, as many of each side.

    The column `group` names the side. Inside a side, sources have equal shares.
    """
    sides = np.isin(pairs.strings("source"), part.rare)
    pairs = pairs.with_columns(group=[RARE if rare else "frequent" for rare in sides])
    sources, keys = np.array(pairs.strings("source")), pairs.prompt_keys()
    order = np.random.default_rng([seed, 4]).permutation(len(pairs))
    train: list[int] = []
    test: list[int] = []
    for names, share in ((part.frequent, 0.9), (part.rare, 0.1)):
        for name in names:
            own = order[sources[order] == name]
            own = own[np.unique(keys[own], return_index=True)[1]]  # one pair of each prompt
            own = own[np.random.default_rng([seed, 5]).permutation(len(own))]
            many, few = part.test // len(names), round(share * part.training / len(names))
            if len(own) < many + few:
                raise SystemExit(f"{name}: {len(own)} pairs, and {many + few} are asked for.")
            test += own[:many].tolist()
            train += own[many : many + few].tolist()
    seen = set(keys[test].tolist())
    return pairs.select([i for i in train if int(keys[i]) not in seen]), pairs.select(test)


Cells = dict[str, dict[str, list[dict[str, np.ndarray]]]]


def run(settings: Settings, work: Work) -> Cells:
    """Every method on every seed of every part."""
    found: Cells = {name: {m: [] for m in settings.methods} for name in settings.parts}
    for name, part in settings.parts.items():
        pairs = LOAD[part.data](part)
        given = part.model_dump(mode="json")
        for seed in range(settings.seeds):
            started = time.time()
            train, test = split(part, pairs, seed)
            for title, method in settings.methods.items():
                make = partial(_outcome, method, train, test, seed)
                key = [given, method.model_dump(mode="json"), seed]
                found[name][title].append(work.arrays(key, make))
            print(f"{name}, seed {seed}: {time.time() - started:.0f} s", flush=True)
    return found


def _outcome(
    method: Method, train: Preferences, test: Preferences, seed: int
) -> dict[str, np.ndarray]:
    scorer, objective = EmbeddingScorer(**method.scorer), Objective(**method.objective)
    return outcomes(fitted(train, scorer, objective, seed), test)


def outcomes(model: EmbeddingRewardModel, test: Preferences) -> dict[str, np.ndarray]:
    """What a model makes of each test pair, the pair's side, and its prompt."""
    return {
        "right": judge(model.scores(test), test, model.probabilities(test)).correct,
        "rare": np.array(test.strings("group")) == RARE,
        "clusters": test.prompt_keys(),
    }


def weighed(cell: Mapping[str, np.ndarray], share: float) -> np.ndarray:
    """Outcomes (N,) whose mean is the accuracy where the rare side has this share."""
    rare = cell["rare"]
    return cell["right"] * np.where(rare, share / rare.mean(), (1 - share) / (1 - rare.mean()))


def figures(found: Cells) -> dict[str, Any]:
    """Every figure, JSON-ready; Holm's correction over all differences."""

    def one(cells: list[dict[str, np.ndarray]], plain: list[dict[str, np.ndarray]]) -> Any:
        content: dict[str, Any] = {}
        clusters = [cell["clusters"] for cell in cells]
        for column, share in SHARES.items():
            own = [weighed(cell, share) for cell in cells]
            base = [weighed(cell, share) for cell in plain]
            content[column] = {"accuracy": hierarchical(own, clusters).to_dict()}
            if cells is not plain:
                gap = hierarchical_difference(own, base, clusters)
                content[column]["difference"] = gap.to_dict()
        for side, rare in (("frequent", False), (RARE, True)):
            kept = [cell["rare"] == rare for cell in cells]
            own = [cell["right"][k] for cell, k in zip(cells, kept, strict=True)]
            ids = [c[k] for c, k in zip(clusters, kept, strict=True)]
            content[side] = hierarchical(own, ids).to_dict()
        return content

    parts = {
        name: {title: one(cells, rows["plain"]) for title, cells in rows.items()}
        for name, rows in found.items()
    }
    correct(
        row[column]["difference"]
        for rows in parts.values()
        for title, row in rows.items()
        for column in SHARES
        if title != "plain"
    )
    return {"schema_version": 1, "parts": parts}


def markdown(content: Mapping[str, Any], settings: Settings) -> str:
    """A table for each pair of sides."""
    lines = [
        f"Accuracy; {settings.seeds} seeds, each draws other pairs. Intervals cover seeds and "
        "prompts; that seeds share pairs they do not know. Differences are to plain, marked after "
        "Holm's correction over all.",
    ]
    family: list[dict[str, Any]] = []
    for name, rows in content["parts"].items():
        part = settings.parts[name]
        lines += [
            "",
            f"**{name}**: {part.training} training pairs at 90:10, {part.test} test pairs of each "
            "side.",
            "",
        ]
        cells_by_row = []
        for title, row in rows.items():
            shown = [str(estimate(row[side])) for side in ("frequent", RARE)]
            for column in SHARES:
                cell = row[column]
                gap = f" {marked(cell['difference'])}" if "difference" in cell else ""
                family += [cell["difference"]] if gap else []
                shown.append(short(cell["accuracy"]["estimate"]) + gap)
            cells_by_row.append([title, *shown])
        lines += table(["method", "frequent side", "rare side", *SHARES], cells_by_row)
    lines += ["", f"Distinguishable from 0: {remaining(family)} differences."]
    return "\n".join(lines) + "\n"


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings, work))
