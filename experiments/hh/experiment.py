"""HH helpful and harmless: pooled sources that cancel, flipped labels, other suites.

What knows the flip rate is compared with plain whose temperature knows it: otherwise the
objective would be credited with what calibration does.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common import embedding
from experiments.common.hh import SOURCES, by_source, flipped, load_sound, unseen
from experiments.common.tables import correct, estimate, marked, table
from experiments.common.work import Work
from surefoot.data import Preferences, concatenate
from surefoot.data.splits import split
from surefoot.evaluation import evaluate_rewards
from surefoot.evaluation.pairs.judgments import judge
from surefoot.evaluation.suites import load_suite
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.temperature import fit_temperature
from surefoot.statistics import (
    Comparison,
    Estimate,
    hierarchical,
    hierarchical_difference,
    log_loss,
)

#: Plain margins, whose temperature alone knows the flip rate.
CALIBRATED = "plain, calibrated for the flips"
DIFFERENCES = (
    "Differences are to plain; those of objectives that know a flip rate are to plain whose "
    "temperature knows it. Marks: after Holm's correction over both tables."
)


class Method(embedding.Method):
    """One row of a table."""

    train: tuple[str, ...] = SOURCES
    """Sources to train on."""
    calibrated_for: float | None = Field(None, ge=0, lt=0.5)
    """Flip rate given to the temperature; null: the one that the objective is given."""
    against: str = "plain"
    """The row that it is compared with."""


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


def fit(method: Method, train: Mapping[str, Preferences], seed: int) -> EmbeddingRewardModel:
    """Fit a method on its sources."""
    pairs = concatenate([train[name] for name in method.train])
    scorer, objective = EmbeddingScorer(**method.scorer), Objective(**method.objective)
    model = embedding.fitted(pairs, scorer, objective, seed)
    if method.calibrated_for is not None:
        model.temperature_ = fit_temperature(
            model.report_.out_of_fold_margins,
            pairs.labels,
            pairs.weights,
            flip_rate=method.calibrated_for,
        ).value
    return model


def run(settings: Settings) -> dict[str, Any]:
    """All three parts; every seed draws a new split, and new flips."""
    parts = by_source(load_sound(), SOURCES, settings.limit)
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


def figures(found: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Every figure, JSON-ready."""

    def one(name: str, cells: Mapping[str, Cell], against: str) -> dict[str, Any]:
        cell = cells[name]
        content = {"accuracy": cell.accuracy().to_dict(), "log_loss": cell.log_loss().to_dict()}
        if name != against:
            content |= {
                "against": against,
                "accuracy_difference": cell.against(cells[against]).to_dict(),
                "log_loss_difference": cell.against(cells[against], "losses").to_dict(),
            }
        return content

    flips = {
        str(rate): {m: one(m, cells, settings.flips[m].against) for m in cells}
        for rate, cells in found["flips"].items()
    }
    for what in ("accuracy_difference", "log_loss_difference"):
        correct(c[what] for cells in flips.values() for c in cells.values() if what in c)
    by_suite = {s: {m: cells[s] for m, cells in found["outside"].items()} for s in settings.suites}
    return {
        "schema_version": 2,
        "pairs": found["pairs"],
        "conflict": {m: {s: one(s, c, s) for s in c} for m, c in found["conflict"].items()},
        "flips": flips,
        "outside": {
            m: {s: one(m, c, "plain") for s, c in by_suite.items()} for m in found["outside"]
        },
        "rulers": {d: {n: e.to_dict() for n, e in r.items()} for d, r in found["rulers"].items()},
    }


def markdown(found: Mapping[str, Any], settings: Settings) -> str:
    """The tables, from the figures."""

    def accuracies(cells: Mapping[str, Any]) -> list[str]:
        return [str(estimate(cell["accuracy"])) for cell in cells.values()]

    rulers = {d: {n: estimate(e) for n, e in r.items()} for d, r in found["rulers"].items()}
    lines = [
        f"Accuracy on held-out prompts, {settings.seeds} seeds (a new split each); intervals cover "
        "seeds and pairs.",
        "",
        *table(
            ["trained on", *SOURCES],
            [
                *([name, *accuracies(cells)] for name, cells in found["conflict"].items()),
                ["*ruler: longer wins*", *(str(rulers[s]["longer"]) for s in SOURCES)],
            ],
        ),
    ]
    for i, (rate, cells) in enumerate(found["flips"].items()):
        lines += [
            "",
            f"{float(rate):.0%} of the training labels flipped, tested on the labels as given "
            f"(source-aware scorer, both sources). {'The rest as above.' if i else DIFFERENCES}",
            "",
            *table(
                ["objective", "accuracy", "difference", "log-loss", "difference"],
                (_flip_row(name, cell, settings.flip_rate) for name, cell in cells.items()),
            ),
        ]
    suites = settings.suites
    best = [max(rulers[s].items(), key=lambda item: item[1].estimate) for s in suites]
    lines += [
        "",
        "Trained on HH, tested elsewhere (prompts that occur in HH left out).",
        "",
        *table(
            ["", *(f"{s} ({found['pairs'][s]})" for s in suites)],
            [
                *([name, *accuracies(cells)] for name, cells in found["outside"].items()),
                ["*best ruler*", *(f"{e} {n}" for n, e in best)],
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def _flip_row(name: str, cell: Mapping[str, Any], rate: float) -> list[str]:
    accuracy, loss = estimate(cell["accuracy"]), estimate(cell["log_loss"])
    gaps = ["", ""]
    if "against" in cell:
        gaps = [marked(cell["accuracy_difference"]), marked(cell["log_loss_difference"], True)]
    if name == CALIBRATED:
        gaps[0] = "the same order"
    known = f", given {rate:.0%}" if cell.get("against") == CALIBRATED else ""
    return [name + known, str(accuracy), gaps[0], str(loss), gaps[1]]


def experiment(settings: Settings, _: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings), settings)
