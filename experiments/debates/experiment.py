"""Debates that were held out: plain against each risk, at a size chosen without them.

Which of two arguments convinces more (ukpconvarg1: 16 debates, both stances together). Training
sees the mean of about five votes on random pairs of twelve debates; the test is the authors' strict
gold on the other four. Folds inside a scorer, and groups that are left out to choose a size, are
training debates.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.tables import correct, estimate, marked, remaining, table
from experiments.common.work import Work
from experiments.convincing.experiment import World
from surefoot.evaluation import clusters_of
from surefoot.evaluation.pairs.judgments import judge
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.scorers.fit.radius import with_radius
from surefoot.statistics import (
    hierarchical,
    hierarchical_difference,
    log_loss,
    mean,
    paired_difference,
)

Cells = dict[str, list[dict[str, np.ndarray]]]


class Settings(Options):
    """The experiment."""

    seeds: int = Field(10, ge=3)
    pairs: int = Field(2000, ge=100)
    held_out_debates: int = Field(4, ge=2, le=12)
    mean_cost: float = Field(0.01, ge=0)
    methods: dict[str, dict[str, Any]]


def run(settings: Settings, work: Work) -> Cells:
    """Every method on every seed, which holds out other debates and draws other pairs."""
    world = World.load()
    found: Cells = {name: [] for name in settings.methods}
    given = settings.model_dump(mode="json", exclude={"seeds", "methods"})
    for seed in range(settings.seeds):
        for name, objective in settings.methods.items():
            started = time.time()
            make = partial(_outcome, settings, world, Objective(**objective), seed)
            found[name].append(work.arrays([given, objective, seed], make))
            print(f"seed {seed}, {name}: {time.time() - started:.0f} s", flush=True)
    return found


def _outcome(
    settings: Settings, world: World, objective: Objective, seed: int
) -> dict[str, np.ndarray]:
    train, test = world.split(settings.held_out_debates, seed)
    drawn = np.random.default_rng([seed, 3]).permutation(len(train))[: settings.pairs]
    train = train.select(np.sort(drawn))
    scorer = EmbeddingScorer(fold_by="group")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the validator says is in the docs
        sized, chosen = with_radius(objective, scorer, train, settings.mean_cost)
        model = EmbeddingRewardModel(scorer, sized, seed).fit(train)
    chances = model.probabilities(test)
    return {
        "right": judge(model.scores(test), test, chances).correct,
        "losses": log_loss(chances, test.labels),
        "clusters": clusters_of(test, "response").ids,
        "debates": np.unique(test.strings("group"), return_inverse=True)[1],
        "size": np.array(np.nan if chosen is None else chosen.size),
    }


def worst(one: Mapping[str, np.ndarray], of: str) -> float:
    """The held-out debate that fares worst: its accuracy, or its log-loss."""
    sums = np.bincount(one["debates"], one[of]) / np.bincount(one["debates"])
    return float(sums.min() if of == "right" else sums.max())


def figures(found: Cells) -> dict[str, Any]:
    """Every figure, JSON-ready; Holm's correction over all differences of a kind."""
    clusters = [one["clusters"] for one in found["plain"]]

    def one(name: str) -> dict[str, Any]:
        content: dict[str, Any] = {}
        cells, plain = found[name], found["plain"]
        for key, of in (("accuracy", "right"), ("log_loss", "losses")):
            own, base = ([cell[of] for cell in side] for side in (cells, plain))
            lows, bases = ([worst(cell, of) for cell in side] for side in (cells, plain))
            content[key] = hierarchical(own, clusters).to_dict()
            content[f"worst_{key}"] = mean(lows, covers="seeds").to_dict()
            if name != "plain":
                gap = hierarchical_difference(own, base, clusters)
                content[f"{key}_difference"] = gap.to_dict()
                gap = paired_difference(lows, bases, covers="seeds")
                content[f"worst_{key}_difference"] = gap.to_dict()
        sizes = [float(cell["size"]) for cell in cells]
        return content | ({} if np.isnan(sizes).all() else {"sizes": sizes})

    rows = {name: one(name) for name in found}
    for key in KINDS:
        correct(row[key] for row in rows.values() if key in row)
    return {"schema_version": 1, "methods": rows}


KINDS = (
    "accuracy_difference",
    "worst_accuracy_difference",
    "log_loss_difference",
    "worst_log_loss_difference",
)


def markdown(content: Mapping[str, Any], settings: Settings) -> str:
    """One table."""
    lines = [
        f"Strict gold of {settings.held_out_debates} held-out debates; {settings.seeds} seeds; "
        f"each holds out other debates and draws other {settings.pairs} pairs. Intervals of means "
        "cover seeds and arguments, those of the worst held-out debate cover seeds; that seeds "
        "share debates they do not know. Differences "
        "are to plain; marks after Holm's correction over all of a kind. Size: the middle one "
        "chosen, and how often it was no robustness.",
        "",
    ]
    heads = ["method", "accuracy", "minus plain", "worst debate", "minus plain"]
    heads += ["log-loss, minus plain", "worst debate, minus plain", "size"]
    rows = []
    for name, row in content["methods"].items():
        gaps = [marked(row[key], "loss" in key) if key in row else "" for key in KINDS]
        accuracy, low = estimate(row["accuracy"]), estimate(row["worst_accuracy"])
        cells = [name, str(accuracy), gaps[0], str(low), gaps[1], gaps[2], gaps[3]]
        rows.append([*cells, _sizes(row.get("sizes"))])
    left = [
        remaining(row[key] for row in content["methods"].values() if key in row) for key in KINDS
    ]
    lines += [
        *table(heads, rows),
        "",
        f"Distinguishable from 0: {left[0]} differences of accuracy, {left[1]} of the worst "
        f"debate's, {left[2]} of log-loss, {left[3]} of the worst debate's.",
    ]
    return "\n".join(lines) + "\n"


def _sizes(sizes: list[float] | None) -> str:
    if sizes is None:
        return ""
    plain = sum(size in (0.0, 1.0) for size in sizes)  # a radius of 0, a level of 1
    return f"{np.median(sizes):g} ({plain} of {len(sizes)})"


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings, work))
