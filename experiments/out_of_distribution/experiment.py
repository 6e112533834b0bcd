"""Out of distribution: robust reward models trained on HH, tested on suites that they never saw.

Distributionally Robust RLHF (2503.00539) reports more accuracy out of distribution on average, and
markedly more on some tasks. Here: every risk on the same pairs, the accuracy on each subset of each
suite, and the mean over subsets.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common import embedding
from experiments.common.hh import SOURCES, load_sources, unseen
from experiments.common.tables import correct, estimate, marked, remaining, short, table
from experiments.common.work import Work
from surefoot.data import Preferences, concatenate
from surefoot.data.splits import split
from surefoot.evaluation import evaluate_rewards
from surefoot.evaluation.pairs.judgments import judge
from surefoot.evaluation.suites import load_suite
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingScorer
from surefoot.scorers.embeddings.clusters import PromptClusters
from surefoot.scorers.embeddings.encoder import load_encoder
from surefoot.statistics import hierarchical, hierarchical_difference

#: What the others of a part are compared with.
BASELINE = "plain"
#: Each part's own held-out pairs, which are not out of distribution.
HELD_OUT = "held out"
#: The column of the mean over subsets.
MEAN = "mean of subsets"


class Method(embedding.Method):
    """One row of a table."""

    parts: tuple[str, ...] = ()
    """Tables that it is in; all by default."""


class Settings(Options):
    """The experiment."""

    seeds: int = Field(10, ge=3)
    """Each trains on another draw of the pairs."""
    held_out: float = Field(0.2, gt=0, lt=1)
    """Share of the pairs that a seed does not train on."""
    limit: int | None = None
    """Pairs of each source; null for all."""
    clusters: int = Field(20, ge=2)
    """Clusters of prompts, for risks over them."""
    parts: dict[str, tuple[str, ...]]
    """Sources to train on, by the name of the table."""
    methods: dict[str, Method]
    subsets: dict[str, str | dict[str, tuple[str, ...]]]
    """Of each suite: the column whose values are its subsets, or the values of `group` in each."""


Cells = dict[str, dict[str, list[dict[str, np.ndarray]]]]


def unseen_subsets(settings: Settings, train: Sequence[Preferences]) -> dict[str, Preferences]:
    """The subsets of the suites, without prompts that occur in training."""
    found = {}
    for suite, parts in settings.subsets.items():
        pairs = unseen(load_suite(suite), list(train))
        named = np.array(pairs.strings(parts if isinstance(parts, str) else "group"))
        if isinstance(parts, str):
            parts = {name: (name,) for name in sorted(set(named.tolist()))}
        for name, values in parts.items():
            subset = pairs.select(np.flatnonzero(np.isin(named, values)))
            if not len(subset):
                raise SystemExit(f"{suite}: no pair of {name} ({', '.join(values)}).")
            # A source of a suite is none of the training data's, whatever its name.
            found[f"{suite}, {name}"] = subset.with_columns(source=[None] * len(subset))
    return found


def run(settings: Settings, work: Work) -> tuple[Cells, dict[str, Preferences]]:
    """Whether each test pair was ordered rightly, by part, method and seed."""
    sources = load_sources(SOURCES, settings.limit)
    outside = unseen_subsets(settings, list(sources.values()))
    found: Cells = {part: {} for part in settings.parts}
    fixed = settings.model_dump(include={"held_out", "limit", "subsets", "clusters"}, mode="json")
    for part, names in settings.parts.items():
        for seed in range(settings.seeds):
            started = time.time()
            sides = [split(sources[name], settings.held_out, seed=seed) for name in names]
            train, own = (concatenate([side[i] for side in sides]) for i in (0, 1))
            held_out = {**outside, HELD_OUT: own}
            for title, method in settings.methods.items():
                if method.parts and part not in method.parts:
                    continue
                given = method.model_dump(include={"scorer", "objective"}, mode="json")
                make = partial(_outcome, settings, method, train, held_out, seed)
                cell = work.arrays([fixed, names, given, seed], make)
                found[part].setdefault(title, []).append(cell)
            print(f"{part}, seed {seed}: {time.time() - started:.0f} s", flush=True)
    return found, outside


def _outcome(
    settings: Settings,
    method: Method,
    train: Preferences,
    test: Mapping[str, Preferences],
    seed: int,
) -> dict[str, np.ndarray]:
    """By test set: 1 where a decided pair is ordered rightly, and the prompts' keys."""
    scorer, objective = EmbeddingScorer(**method.scorer), Objective(**method.objective)
    if objective.risk.unit == "cluster":
        encoder = load_encoder(scorer.encoder)
        clusters = PromptClusters.fit(train, encoder, settings.clusters, seed)
        train = clusters.beside(train, encoder)
    found = {}
    model = embedding.fitted(train, scorer, objective, seed)
    for name, pairs in test.items():
        judged = judge(model.scores(pairs), pairs, model.probabilities(pairs))
        found[name] = judged.correct[judged.decided]
        found[f"{name}/prompts"] = pairs.prompt_keys()[judged.decided]
    return found


def mean_of_subsets(cell: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Outcomes (N,) of all subsets, weighed so that their mean is the mean over subsets."""
    total = sum(len(cell[name]) for name in names)
    return np.concatenate([cell[name] * total / (len(names) * len(cell[name])) for name in names])


def figures(found: Cells, outside: Mapping[str, Preferences]) -> dict[str, Any]:
    """Every figure, JSON-ready; Holm's correction over the differences out of distribution."""
    names = list(outside)

    def column(cells: Sequence[Mapping[str, np.ndarray]], name: str) -> list[np.ndarray]:
        if name == MEAN:
            return [mean_of_subsets(cell, names) for cell in cells]
        return [cell[name] for cell in cells]

    def prompts(cells: Sequence[Mapping[str, np.ndarray]], name: str) -> list[np.ndarray]:
        of = names if name == MEAN else [name]
        return [np.concatenate([cell[f"{one}/prompts"] for one in of]) for cell in cells]

    parts: dict[str, Any] = {}
    for part, rows in found.items():
        parts[part] = {}
        for title, cells in rows.items():
            parts[part][title] = {}
            for name in (HELD_OUT, MEAN, *names):
                own, ids = column(cells, name), prompts(cells, name)
                content: dict[str, Any] = {}
                if title == BASELINE or name in (HELD_OUT, MEAN):  # as the tables show them
                    content["accuracy"] = hierarchical(own, ids).to_dict()
                if name == HELD_OUT:
                    content["ties"] = float(np.mean([np.mean(values == 0.5) for values in own]))
                if title != BASELINE:
                    plain = column(rows[BASELINE], name)
                    content["difference"] = hierarchical_difference(own, plain, ids).to_dict()
                parts[part][title][name] = content
    correct(_family(parts))
    return {
        "schema_version": 1,
        "pairs": {name: len(pairs) for name, pairs in outside.items()},
        "parts": parts,
        "rulers": {
            name: {
                ruler: one.to_dict()
                for ruler, one in evaluate_rewards(np.zeros((len(p), 2)), p).rulers.items()
            }
            for name, p in outside.items()
        },
    }


def _family(parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The differences that are tested: all out of distribution."""
    return [
        cell["difference"]
        for rows in parts.values()
        for title, row in rows.items()
        for name, cell in row.items()
        if title != BASELINE and name != HELD_OUT
    ]


def markdown(content: Mapping[str, Any], settings: Settings) -> str:
    """Of each part the means, then whoever says something on every subset of each suite."""
    family = _family(content["parts"])
    lines = [
        f"Accuracy; {settings.seeds} seeds, each trains on another draw of the same pairs, which "
        "the intervals do not know; they cover seeds and prompts. Differences are to plain, marked "
        f"after Holm's correction over all {len(family)} out of distribution, those of heads that "
        f"say nothing too ({remaining(family)} distinguishable). Intervals are for one "
        "difference alone: without a mark it is not distinguishable, though its interval may leave "
        "out 0. Heads that say nothing are left out of the tables by subset.",
    ]
    for part, rows in content["parts"].items():
        lines += [
            "",
            f"**Trained on {part}**",
            "",
        ]
        means = []
        for title, row in rows.items():
            own, mean = row[HELD_OUT], row[MEAN]
            shown = [short(own["ties"]), str(estimate(own["accuracy"])), "", "", ""]
            if own["ties"] == 1:
                shown[1] = "says nothing"
            else:
                shown[3] = str(estimate(mean["accuracy"]))
            if title != BASELINE and own["ties"] < 1:
                # Held-out pairs are not of the family: shown without a mark.
                shown[2] = str(estimate(own["difference"]["difference"]))
                shown[4] = marked(mean["difference"])
            means.append([title, *shown])
        lines += table(["", "ties", HELD_OUT, "difference", MEAN, "difference"], means)
        for suite in dict.fromkeys(name.partition(", ")[0] for name in content["pairs"]):
            lines += ["", *_by_subset(content, part, suite)]
    return "\n".join(lines) + "\n"


def _by_subset(content: Mapping[str, Any], part: str, suite: str) -> list[str]:
    """The table of one suite's subsets: plain's accuracy, and the others' differences to it."""
    subsets = [name for name in content["pairs"] if name.partition(", ")[0] == suite]
    heads = [f"{name.partition(', ')[2]} ({content['pairs'][name]})" for name in subsets]
    rows = [["best ruler"]]
    for name in subsets:
        ruler, best = max(content["rulers"][name].items(), key=lambda one: one[1]["estimate"])
        rows[0].append(f"{short(best['estimate'])} {ruler}")
    for title, row in content["parts"][part].items():
        if title == BASELINE:
            accuracies = [str(estimate(row[name]["accuracy"])) for name in subsets]
            rows.append([f"{title}: accuracy", *accuracies])
        elif row[HELD_OUT]["ties"] < 1:  # else at .5 everywhere, which is above a head that errs
            rows.append([title, *(marked(row[name]["difference"]) for name in subsets)])
    return table([f"{suite}; {part}", *heads], rows)


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(*run(settings, work))
