"""Real votes with a known reference policy: VRPO, a general preference model, flip correction.

In each of 32 topics (16 debates, two stances) nearly all pairs of some 33 arguments were judged by
about five people. Training sees single votes on random pairs of the training debates; the test is
the authors' strict gold on held-out debates, so folds inside a scorer are of debates, too. The
reference policy draws an argument of the topic's pool: the expectation in VRPO is a sum over all
pairs.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.embedding import Method, fitted
from experiments.common.tables import correct, estimate, marked, remaining, table
from experiments.common.work import Work
from surefoot.data import Preferences
from surefoot.data.references import POOL, references_of
from surefoot.evaluation import clusters_of
from surefoot.evaluation.pairs.judgments import judge
from surefoot.evaluation.suites import load_suite
from surefoot.nuisance import Conditions, with_auxiliary
from surefoot.nuisance.fitted import FittedModel
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingScorer
from surefoot.statistics import hierarchical, hierarchical_difference, log_loss

#: Auxiliary probabilities are cut to this and its opposite.
CLIP = 0.02


class Settings(Options):
    """The experiment."""

    seeds: int = Field(10, ge=3)
    budgets: tuple[int, ...]
    held_out_debates: int = Field(ge=1, le=15)
    folds: int = Field(5, ge=2)
    auxiliary: dict[str, Any]
    methods: dict[str, Method]


@dataclass
class Cell:
    """Outcomes of one method at one budget, one array for each seed."""

    right: list[np.ndarray] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    clusters: list[np.ndarray] = field(default_factory=list)
    coefficients: list[float] = field(default_factory=list)

    def add(self, outcome: Mapping[str, np.ndarray]) -> None:
        """One more seed."""
        self.right.append(outcome["right"])
        self.losses.append(outcome["losses"])
        self.clusters.append(outcome["clusters"])
        self.coefficients += outcome["coefficients"].tolist()


@dataclass
class World:
    """What there is: every vote, the pools, and the strict gold."""

    pairs: Preferences
    strict: np.ndarray
    pools: dict[int, list[Any]]

    @classmethod
    def load(cls) -> World:
        """From the suite; pairs without gold are left out by its authors."""
        pairs = load_suite("ukpconvarg1")
        pools: dict[int, dict[str, Any]] = {}
        rows = pairs.read("response_a", "response_b")
        for key, both in zip(pairs.prompt_keys().tolist(), rows, strict=True):
            for response in both:
                pools.setdefault(key, {}).setdefault(response[0]["content"], response)
        return cls(pairs, _strict(pairs), {k: list(pool.values()) for k, pool in pools.items()})

    def split(self, held_out: int, seed: int) -> tuple[Preferences, Preferences]:
        """Pairs of the training debates; strict gold of the others, in random orientation."""
        debates = np.array(self.pairs.strings("group"))
        names = np.random.default_rng([seed, 1]).permutation(sorted(set(debates)))
        out = np.isin(debates, names[:held_out])
        decided = self.strict & (self.pairs.labels != 0.5)
        return (
            self.pairs.select(np.flatnonzero(~out)),
            self.pairs.select(np.flatnonzero(out & decided)),
        )

    def votes(self, pairs: Preferences, budget: int, seed: int) -> Preferences:
        """Single votes for one side, drawn without replacement; each a row of its own."""
        each = [
            (row, vote["value"])
            for row, (votes,) in enumerate(pairs.read("votes"))
            for vote in votes
            if vote["value"] != 0.5
        ]
        drawn = np.random.default_rng([seed, 2]).permutation(len(each))[:budget]
        rows, labels = zip(*(each[i] for i in drawn), strict=True)
        return pairs.select(np.array(rows)).with_labels(labels)

    def with_references(self, votes: Preferences, auxiliary: FittedModel, seed: int) -> Preferences:
        """The votes with the whole pool of their topic, judged by cross-fitted models."""
        pools = [self.pools[key] for key in votes.prompt_keys().tolist()]
        blank = [[0.5] * (len(pool) * (len(pool) - 1) // 2) for pool in pools]
        pooled = votes.with_columns(
            references=pools, reference_law=[POOL] * len(votes), reference_auxiliary=blank
        )
        references = references_of(pooled)
        judged = auxiliary.judge(votes, references, Conditions(seed=seed))
        return with_auxiliary(pooled, references, judged, CLIP)


def _strict(pairs: Preferences) -> np.ndarray:
    """Whether each pair is in the authors' strict corpus (N,)."""
    place = Path(os.environ["SUREFOOT_SUITES"]) / "ukpconvarg1" / "pairs_with_annotators.jsonl.gz"
    with gzip.open(place, "rt", encoding="utf-8") as file:
        records = map(json.loads, file)
        strict = {f"{r['topic']}/{r['id']}" for r in records if r["strict"]}
    return np.array([name in strict for name in pairs.strings("id")])


def run(settings: Settings, work: Work) -> dict[int, dict[str, Cell]]:
    """Every budget and method; each seed holds out other debates and draws other votes."""
    world = World.load()
    names = (*settings.methods, "longer wins")
    found = {budget: {name: Cell() for name in names} for budget in settings.budgets}
    given = settings.model_dump(mode="json", exclude={"seeds", "budgets"})
    for seed in range(settings.seeds):
        for budget, cells in found.items():
            started = time.time()
            make = partial(_outcomes, settings, world, budget, seed)
            kept = work.arrays([given, seed, budget], make)
            for name, cell in cells.items():
                cell.add({k: kept[f"{name}/{k}"] for k in _KEPT})
            print(f"seed {seed}, {budget} votes: {time.time() - started:.0f} s", flush=True)
    return found


_KEPT = ("right", "losses", "clusters", "coefficients")


def _outcomes(settings: Settings, world: World, budget: int, seed: int) -> dict[str, np.ndarray]:
    """What every method makes of the votes of one seed, by its name and what it is."""
    train, test = world.split(settings.held_out_debates, seed)
    lengths = np.array([[len(t) for t in side] for side in test.texts("response")], dtype=float).T
    clusters = clusters_of(test, "response").ids

    def outcome(
        rewards: np.ndarray, chances: np.ndarray, coefficients: Sequence[float] = ()
    ) -> dict[str, np.ndarray]:
        right = judge(rewards, test, chances).correct
        losses = log_loss(chances, test.labels)
        return dict(zip(_KEPT, (right, losses, clusters, np.array(coefficients)), strict=True))

    scorer = EmbeddingScorer(**{"fold_by": "row", **settings.auxiliary})
    auxiliary = FittedModel(scorer=scorer, folds=settings.folds)
    data = world.with_references(world.votes(train, budget, seed), auxiliary, seed)
    found = {}
    for name, method in settings.methods.items():
        scorer = EmbeddingScorer(**{"fold_by": "group", **method.scorer})
        model = fitted(data, scorer, Objective(**method.objective), seed)
        coefficient = model.report_.coefficient
        chosen = () if coefficient is None else (coefficient.value,)
        found[name] = outcome(model.scores(test), model.probabilities(test), chosen)
    longer = (np.sign(lengths[:, 0] - lengths[:, 1]) + 1) / 2
    found["longer wins"] = outcome(lengths, 0.27 + 0.46 * longer)
    return {f"{name}/{k}": v for name, one in found.items() for k, v in one.items()}


def figures(found: Mapping[int, Mapping[str, Cell]]) -> dict[str, Any]:
    """Every figure, JSON-ready; Holm's correction over all differences of accuracy, and of loss."""

    def one(name: str, cells: Mapping[str, Cell]) -> dict[str, Any]:
        cell, plain = cells[name], cells["plain"]
        content: dict[str, Any] = {"accuracy": hierarchical(cell.right, cell.clusters).to_dict()}
        if name != "longer wins":  # a ruler says no probabilities
            content["log_loss"] = hierarchical(cell.losses, cell.clusters).to_dict()
        if name != "plain":
            gap = hierarchical_difference(cell.right, plain.right, cell.clusters)
            content["accuracy_difference"] = gap.to_dict()
        if name not in ("plain", "longer wins"):
            gap = hierarchical_difference(cell.losses, plain.losses, cell.clusters)
            content["log_loss_difference"] = gap.to_dict()
        if cell.coefficients:
            content["coefficient"] = float(np.mean(cell.coefficients))
        return content

    tables = {str(b): {name: one(name, cells) for name in cells} for b, cells in found.items()}
    for what in ("accuracy_difference", "log_loss_difference"):
        correct(c[what] for cells in tables.values() for c in cells.values() if what in c)
    return {"schema_version": 1, "budgets": tables}


def markdown(content: Mapping[str, Any], settings: Settings) -> str:
    """One table."""
    lines = [
        f"Strict gold of {settings.held_out_debates} held-out debates; {settings.seeds} seeds, "
        "each holds out other debates and draws other votes. Intervals cover seeds and arguments; "
        "that seeds share debates they do not know. "
        "Differences are to plain; marks after Holm's correction over all of a kind. `c`: the mean "
        "fitted coefficient.",
        "",
    ]
    heads = ["votes", "method", "accuracy", "minus plain", "log-loss", "minus plain", "c"]
    budgets = content["budgets"].items()
    every = [(budget, name, cell) for budget, cells in budgets for name, cell in cells.items()]
    family = [cell["accuracy_difference"] for *_, cell in every if "accuracy_difference" in cell]
    lines += [
        *table(heads, ([budget, *_row(name, cell)] for budget, name, cell in every)),
        "",
        f"Of the differences of accuracy {remaining(family)} are distinguishable from 0.",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, cell: Mapping[str, Any]) -> list[str]:
    shown = f"*ruler: {name}*" if name == "longer wins" else name
    gap = marked(cell["accuracy_difference"]) if "accuracy_difference" in cell else ""
    loss = str(estimate(cell["log_loss"])) if "log_loss" in cell else ""
    less = marked(cell["log_loss_difference"], True) if "log_loss_difference" in cell else ""
    c = f"{cell['coefficient']:.2f}" if "coefficient" in cell else ""
    return [shown, str(estimate(cell["accuracy"])), gap, loss, less, c]


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings, work))
