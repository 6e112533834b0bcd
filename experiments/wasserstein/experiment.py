"""A Wasserstein ball around frozen embeddings: does it help where texts change a little?

Linear heads on HH helpful, plain and with the ball as a regulariser, tested on pairs that were held
out, on the same pairs with words misspelt, and on hhh_alignment.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.embedding import Method, fitted
from experiments.common.hh import load_sources, unseen
from experiments.common.tables import correct, estimate, marked, remaining, table
from experiments.common.work import Work
from surefoot.data import Preferences
from surefoot.data.splits import split
from surefoot.evaluation.pairs.judgments import judge
from surefoot.evaluation.suites import load_suite
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingScorer
from surefoot.statistics import hierarchical, hierarchical_difference

#: What the others are compared with.
BASELINE = "plain"
TESTS = ("held out", "held out, misspelt", "hhh_alignment")


class Settings(Options):
    """The experiment."""

    seeds: int = Field(5, ge=3)
    """Each trains on another draw of the pairs."""
    first_seed: int = 0
    """The others follow."""
    held_out: float = Field(0.3, gt=0, lt=1)
    """Share of the pairs that a seed does not train on."""
    limit: int | None = None
    """Pairs to draw from; null for all."""
    misspelt: float = Field(0.3, gt=0, le=1)
    """Share of the words of four letters and more in which two letters change places."""
    methods: dict[str, Method]


#: By method and test set: for each seed what each pair has, and its prompt.
Cells = dict[str, list[Mapping[str, np.ndarray]]]


def misspell(text: str, share: float) -> str:
    """The text with two inner letters of some words exchanged, the same ones each time."""
    rng = np.random.default_rng(zlib.crc32(text.encode()))
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) >= 4 and rng.random() < share:
            k = int(rng.integers(1, len(word) - 2))
            words[i] = word[:k] + word[k + 1] + word[k] + word[k + 2 :]
    return " ".join(words)


def misspelt(pairs: Preferences, share: float) -> Preferences:
    """The pairs with both responses misspelt."""

    def changed(messages: list[dict[str, str]]) -> list[dict[str, str]]:
        return [{**one, "content": misspell(one["content"], share)} for one in messages]

    read = list(pairs.read("response_a", "response_b"))
    sides = zip(*([changed(side) for side in both] for both in read), strict=True)
    a, b = map(list, sides)
    return pairs.with_columns(response_a=a, response_b=b)


def run(settings: Settings, work: Work) -> Cells:
    """Log-loss and correctness of each test pair, by method and seed."""
    (pairs,) = load_sources(["helpful"], settings.limit).values()
    outside = unseen(load_suite("hhh_alignment"), [pairs])
    fixed = settings.model_dump(include={"held_out", "limit", "misspelt"}, mode="json")
    found: Cells = {title: [] for title in settings.methods}
    for seed in range(settings.first_seed, settings.first_seed + settings.seeds):
        started = time.time()
        train, own = split(pairs, settings.held_out, seed=seed)
        tests = dict(zip(TESTS, (own, misspelt(own, settings.misspelt), outside), strict=True))
        for title, method in settings.methods.items():
            make = partial(_outcome, method, train, tests, seed)
            key = [fixed, method.model_dump(mode="json"), seed]
            found[title].append(work.arrays(key, make))
        print(f"seed {seed}: {time.time() - started:.0f} s", flush=True)
    return found


def _outcome(
    method: Method, train: Preferences, tests: Mapping[str, Preferences], seed: int
) -> dict[str, np.ndarray]:
    """By test set: log-loss and correctness of the decided pairs, and their prompts."""
    scorer, objective = EmbeddingScorer(**method.scorer), Objective(**method.objective)
    model = fitted(train, scorer, objective, seed)
    found = {"length": np.array(float(model.parameters_["weight"].norm()))}
    for name, pairs in tests.items():
        p = model.probabilities(pairs)
        judged = judge(model.scores(pairs), pairs, p)
        y, decided = pairs.labels, judged.decided
        loss = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        found[f"{name}/loss"] = loss[decided]
        found[f"{name}/correct"] = judged.correct[decided]
        found[f"{name}/prompts"] = pairs.prompt_keys()[decided]
    return found


def figures(found: Cells) -> dict[str, Any]:
    """Every figure, JSON-ready; Holm's correction over the differences of log-loss."""
    rows: dict[str, Any] = {}
    for title, cells in found.items():
        rows[title] = {"length": float(np.mean([cell["length"] for cell in cells]))}
        for name in TESTS:
            prompts = [cell[f"{name}/prompts"] for cell in cells]
            loss, right = ([c[f"{name}/{what}"] for c in cells] for what in ("loss", "correct"))
            rows[title][name] = {
                "loss": hierarchical(loss, prompts).to_dict(),
                "accuracy": hierarchical(right, prompts).to_dict(),
            }
            if title != BASELINE:
                plain = [cell[f"{name}/loss"] for cell in found[BASELINE]]
                gap = hierarchical_difference(loss, plain, prompts)
                rows[title][name]["difference"] = gap.to_dict()
    correct(_family(rows))
    return {"schema_version": 1, "rows": rows}


def _family(rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The differences that are tested."""
    return [rows[t][name]["difference"] for t in rows if t != BASELINE for name in TESTS]


def markdown(content: Mapping[str, Any], settings: Settings) -> str:
    """A table for each test set."""
    rows, family = content["rows"], _family(content["rows"])
    lines = [
        f"Linear heads on HH helpful; {settings.seeds} seeds, each trains on another draw of the "
        "same pairs, which the intervals do not know; they cover seeds and prompts. Log-loss is of "
        "probabilities with the temperature of the training folds. Differences are to plain, "
        f"marked after Holm's correction over all {len(family)} ({remaining(family)} "
        "distinguishable).",
    ]
    for name in TESTS:
        shown = []
        for title, row in rows.items():
            cell = row[name]
            gap = "" if title == BASELINE else marked(cell["difference"], lower_is_better=True)
            accuracy, loss = estimate(cell["accuracy"]), estimate(cell["loss"])
            shown.append([title, f"{row['length']:.2f}", str(accuracy), str(loss), gap])
        heads = [name, "length of the head", "accuracy", "log-loss", "difference"]
        lines += ["", *table(heads, shown)]
    return "\n".join(lines) + "\n"


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings, work))
