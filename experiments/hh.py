"""HH helpful and harmless: pooled sources that cancel, flipped labels, other suites.

    python experiments/hh.py experiments/hh.yaml [--output experiments/results]

Writes `hh.json` (every figure with its interval) and `hh.md` (the tables of the README).
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from datasets import disable_progress_bars
from pydantic import Field

from surefoot.data import Preferences, concatenate
from surefoot.data.checks import check, without
from surefoot.data.prompts import training_prompt_keys
from surefoot.data.splits import split
from surefoot.evaluation import evaluate_rewards
from surefoot.evaluation.judgments import judge
from surefoot.evaluation.suites import load_suite
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.statistics import (
    Comparison,
    Estimate,
    hierarchical,
    hierarchical_difference,
    log_loss,
)

SOURCES = ("helpful", "harmless")


class Method(Options):
    """One row of a table."""

    train: tuple[str, ...] = SOURCES
    """Sources to train on."""
    scorer: dict[str, Any] = Field({})
    """Options of the embedding scorer."""
    objective: dict[str, Any] = Field({})
    """Options of the objective."""


class Settings(Options):
    """The experiment."""

    seeds: int = Field(10, ge=1)
    held_out: float = Field(0.2, gt=0, lt=1)
    flip_rate: float = Field(0.2, ge=0, lt=0.5)
    limit: int | None = None
    conflict: dict[str, Method]
    flips: dict[str, Method]
    outside: dict[str, Method]
    suites: tuple[str, ...]


@dataclass
class Cell:
    """Per-pair outcomes of one method on one test set, one array for each seed."""

    right: list[np.ndarray] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    clusters: list[np.ndarray] = field(default_factory=list)

    def add(self, model: EmbeddingRewardModel, test: Preferences) -> None:
        """Score a test set with the model of one more seed."""
        rewards = model.rewards(test)
        probabilities = model.to_probabilities(rewards[:, 0] - rewards[:, 1])
        judged = judge(rewards, test, probabilities, 0.0)
        self.right.append(judged.correct[judged.decided])
        self.losses.append(log_loss(probabilities, test.labels)[judged.decided])
        self.clusters.append(test.prompt_keys()[judged.decided])

    def accuracy(self) -> Estimate:
        """Accuracy over seeds and pairs."""
        return hierarchical(self.right, self.clusters)

    def log_loss(self) -> Estimate:
        """Log-loss over seeds and pairs."""
        return hierarchical(self.losses, self.clusters)

    def against(self, baseline: Cell, what: str = "right") -> Comparison:
        """Paired difference to the same seeds and pairs of another method."""
        return hierarchical_difference(getattr(self, what), getattr(baseline, what), self.clusters)


def load(settings: Settings) -> dict[str, Preferences]:
    """Both sources, without what the damage report calls errors."""
    everything = load_suite("hh_rlhf")
    damage = check(everything)
    sound = without(everything, [f for f in damage.findings if f.severity == "error"])
    named = np.array(sound.strings("source"))
    parts = {name: sound.select(np.flatnonzero(named == name)) for name in SOURCES}
    if settings.limit:
        parts = {n: p.select(np.arange(min(settings.limit, len(p)))) for n, p in parts.items()}
    return parts


def fit(method: Method, train: Mapping[str, Preferences], seed: int) -> EmbeddingRewardModel:
    """Fit a method on its sources."""
    model = EmbeddingRewardModel(
        EmbeddingScorer(**method.scorer), Objective(**method.objective), seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the conflict is what the table shows
        return model.fit(concatenate([train[name] for name in method.train]))


def flipped(preferences: Preferences, rate: float, seed: int) -> Preferences:
    """The same pairs, each label flipped with this probability."""
    flips = np.random.default_rng(seed).random(len(preferences)) < rate
    return preferences.with_labels(np.where(flips, 1 - preferences.labels, preferences.labels))


def unseen(test: Preferences, train: list[Preferences]) -> Preferences:
    """The test pairs whose prompt occurs in no training data."""
    seen = set().union(*(training_prompt_keys(part) for part in train))
    return test.select([i for i, key in enumerate(test.prompt_keys()) if int(key) not in seen])


def run(settings: Settings) -> dict[str, Any]:
    """All three parts; every seed draws a new split, and new flips."""
    parts = load(settings)
    suites = {name: unseen(load_suite(name), list(parts.values())) for name in settings.suites}
    conflict = {m: {s: Cell() for s in SOURCES} for m in settings.conflict}
    flips = {rate: {m: Cell() for m in settings.flips} for rate in (0.0, settings.flip_rate)}
    outside = {m: {s: Cell() for s in suites} for m in settings.outside}
    for seed in range(settings.seeds):
        started = time.time()
        sides = {n: split(p, settings.held_out, seed=seed) for n, p in parts.items()}
        train = {n: side[0] for n, side in sides.items()}
        test = {n: side[1] for n, side in sides.items()}
        for name, method in settings.conflict.items():
            model = fit(method, train, seed)
            for source, cell in conflict[name].items():
                cell.add(model, test[source])
        for rate, cells in flips.items():
            noisy = {n: flipped(p, rate, 1000 * seed + i) for i, (n, p) in enumerate(train.items())}
            for name, method in settings.flips.items():
                aware = method.model_copy(update={"scorer": {"source_aware": True}})
                cells[name].add(fit(aware, noisy, seed), concatenate(list(test.values())))
        for name, method in settings.outside.items():
            model = fit(method, train, seed)
            for suite, pairs in suites.items():
                outside[name][suite].add(model, pairs)
        print(f"seed {seed}: {time.time() - started:.0f} s", flush=True)
    rulers = {
        name: evaluate_rewards(np.zeros((len(p), 2)), p).rulers for name, p in parts.items()
    } | {name: evaluate_rewards(np.zeros((len(p), 2)), p).rulers for name, p in suites.items()}
    return {
        "pairs": {n: len(p) for n, p in parts.items()} | {n: len(p) for n, p in suites.items()},
        "conflict": conflict,
        "flips": flips,
        "outside": outside,
        "rulers": rulers,
    }


def mark(found: Comparison, better_if: int = 1) -> str:
    """A paired difference with its verdict: better, worse, or not told apart."""
    difference = found.difference
    if difference.low is None or difference.high is None:
        return str(difference)
    sign = better_if * (1 if difference.low > 0 else -1 if difference.high < 0 else 0)
    return f"{difference} " + {1: "**better**", -1: "**worse**", 0: "not told apart"}[sign]


def markdown(found: dict[str, Any], settings: Settings) -> str:
    """The tables."""
    rulers = found["rulers"]
    lines = [
        f"Accuracy on held-out prompts, {settings.seeds} seeds (a new split each); intervals cover "
        "seeds and pairs.",
        "",
        "| trained on | helpful | harmless |",
        "|---|---|---|",
    ]
    for name, cells in found["conflict"].items():
        lines.append(f"| {name} | " + " | ".join(str(c.accuracy()) for c in cells.values()) + " |")
    longer = " | ".join(str(rulers[s]["longer"]) for s in SOURCES)
    lines.append(f"| *ruler: longer wins* | {longer} |")
    for rate, cells in found["flips"].items():
        plain = cells["plain"]
        lines += [
            "",
            f"{rate:.0%} of the training labels flipped, tested on the labels as given "
            "(source-aware scorer, both sources).",
            "",
            "| objective | accuracy | difference to plain | log-loss | difference to plain |",
            "|---|---|---|---|---|",
        ]
        for name, cell in cells.items():
            gaps = (
                ("", "")
                if cell is plain
                else (mark(cell.against(plain)), mark(cell.against(plain, "losses"), -1))
            )
            lines.append(
                f"| {name} | {cell.accuracy()} | {gaps[0]} | {cell.log_loss()} | {gaps[1]} |"
            )
    suites = list(next(iter(found["outside"].values())))
    lines += [
        "",
        "Trained on HH, tested elsewhere (prompts that occur in HH left out).",
        "",
        "| | " + " | ".join(f"{s} ({found['pairs'][s]})" for s in suites) + " |",
        "|---|" + "---|" * len(suites),
    ]
    for name, cells in found["outside"].items():
        lines.append(f"| {name} | " + " | ".join(str(c.accuracy()) for c in cells.values()) + " |")
    best = [max(rulers[s].items(), key=lambda item: item[1].estimate) for s in suites]
    lines.append("| *best ruler* | " + " | ".join(f"{e} {n}" for n, e in best) + " |")
    return "\n".join(lines) + "\n"


def figures(found: dict[str, Any]) -> dict[str, Any]:
    """Every figure, JSON-ready."""

    def one(cell: Cell, plain: Cell | None = None) -> dict[str, Any]:
        content = {"accuracy": cell.accuracy().to_dict(), "log_loss": cell.log_loss().to_dict()}
        if plain is not None and plain is not cell:
            content["accuracy_against_plain"] = cell.against(plain).to_dict()
            content["log_loss_against_plain"] = cell.against(plain, "losses").to_dict()
        return content

    return {
        "schema_version": 1,
        "pairs": found["pairs"],
        "conflict": {
            m: {s: one(c) for s, c in cells.items()} for m, cells in found["conflict"].items()
        },
        "flips": {
            str(rate): {m: one(c, cells["plain"]) for m, c in cells.items()}
            for rate, cells in found["flips"].items()
        },
        "outside": {
            m: {s: one(c, found["outside"]["plain"][s]) for s, c in cells.items()}
            for m, cells in found["outside"].items()
        },
        "rulers": {
            d: {n: e.to_dict() for n, e in rulers.items()} for d, rulers in found["rulers"].items()
        },
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--output", type=Path, default=Path("experiments/results"))
    arguments = parser.parse_args()
    disable_progress_bars()
    settings = Settings(**yaml.safe_load(arguments.config.read_text()))
    found = run(settings)
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = arguments.config.stem
    content = {"settings": settings.model_dump(mode="json"), **figures(found)}
    (arguments.output / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    table = markdown(found, settings)
    (arguments.output / f"{name}.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
