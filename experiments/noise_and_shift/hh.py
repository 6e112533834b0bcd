"""HH with flips and another share of its sources in use: an illustration on real preferences."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from pydantic import Field

from experiments.common.embedding import Method, fitted
from experiments.common.hh import flipped
from experiments.common.tables import correct, marked, percent, remaining, short, table
from experiments.common.work import Work
from experiments.noise_and_shift.world import with_rate
from experiments.shares.experiment import LOAD, SHARES, Part, outcomes, split, weighed
from surefoot.data import Preferences
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer
from surefoot.statistics import hierarchical, hierarchical_difference

#: Column of `shares.SHARES` that are shown.
USES = ("as trained", "50:50")


class HH(Options):
    """The illustration."""

    seeds: int = Field(5, ge=3)
    part: Part
    flips: tuple[float, ...]
    """Flip rates of the training labels; the test keeps its labels."""
    against: str
    """The method that others are compared with."""
    methods: dict[str, Method]


Outcomes = dict[str, np.ndarray]


def hh_figures(hh: HH, work: Work) -> list[dict[str, Any]]:
    """Accuracies at each flip rate, JSON-ready; Holm's correction over all differences."""
    pairs = LOAD[hh.part.data](hh.part)
    kept: dict[float, dict[str, list[Outcomes]]] = {}
    for seed in range(hh.seeds):
        started = time.process_time()
        train, test = split(hh.part, pairs, seed)
        for rate in hh.flips:
            noisy = flipped(train, rate, 1000 + seed)
            for name, method in hh.methods.items():
                given = [hh.part.model_dump(mode="json"), rate, method.model_dump(mode="json")]
                make = partial(_outcome, method, rate, noisy, test, seed)
                found = work.arrays([*given, seed], make)
                kept.setdefault(rate, {}).setdefault(name, []).append(found)
        print(f"HH, seed {seed}: {time.process_time() - started:.0f} s", flush=True)
    content = [
        {"flips": rate, "methods": {name: _row(hh, name, rows) for name in rows}}
        for rate, rows in kept.items()
    ]
    correct(_differences(content))
    return content


def _outcome(
    method: Method, rate: float, train: Preferences, test: Preferences, seed: int
) -> Outcomes:
    objective, scorer = (
        Objective(**with_rate(method.objective, rate)),
        EmbeddingScorer(**method.scorer),
    )
    if objective.risk.regret:
        train = with_auxiliary(train, fitted(train, scorer, Objective(), seed))
    return outcomes(fitted(train, scorer, objective, seed), test)


def with_auxiliary(pairs: Preferences, plain: EmbeddingRewardModel) -> Preferences:
    """The pairs with P(a preferred) by a plain reward model that did not see their prompts."""
    chances = plain.to_probabilities(plain.report_.out_of_fold_margins)
    return pairs.with_columns(auxiliary=chances.tolist())


def _row(hh: HH, name: str, rows: Mapping[str, list[Outcomes]]) -> dict[str, Any]:
    clusters = [one["clusters"] for one in rows[name]]
    content: dict[str, Any] = {}
    for use in USES:
        own, base = ([weighed(one, SHARES[use]) for one in rows[m]] for m in (name, hh.against))
        content[use] = {"accuracy": hierarchical(own, clusters).to_dict()}
        if name != hh.against:
            content[use]["difference"] = hierarchical_difference(own, base, clusters).to_dict()
    return content


def _differences(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    cells = [row[use] for one in content for row in one["methods"].values() for use in USES]
    return [cell["difference"] for cell in cells if "difference" in cell]


def hh_markdown(content: list[dict[str, Any]], hh: HH) -> list[str]:
    """One table."""
    lines = [
        f"HH: {' and '.join(hh.part.frequent)} with {' and '.join(hh.part.rare)} at 90:10, "
        f"{hh.part.training:,} training pairs, {hh.part.test} test pairs of each; accuracy, and "
        f"its difference to “{hh.against}”; {hh.seeds} seeds. Intervals cover seeds and prompts; "
        "marks after Holm's correction over all.",
        "",
    ]
    rows = []
    for one in content:
        for name, row in one["methods"].items():
            shown = []
            for use in USES:
                gap = row[use].get("difference")
                marked_gap = f" {marked(gap)}" if gap else ""
                shown.append(short(row[use]["accuracy"]["estimate"]) + marked_gap)
            rows.append([percent(one["flips"]), name, *shown])
    lines += table(["flips", "method", *USES], rows)
    return [
        *lines,
        "",
        f"Distinguishable from 0: {remaining(_differences(content))} differences.",
    ]
