"""HH pairs and language models: DPO and reward models, plain and robust, clean and flipped labels.

Objectives that know the flip rate have a temperature that knows it, too. Where a part has
any, the row `plain, calibrated for the flips` shows what that does alone: plain's margins, no new
training.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.common.work import Work
from experiments.hh_language.runs import CALIBRATED, Part, Settings, load, prepare, run_cell
from experiments.hh_language.tables import correct_all, markdown
from surefoot.data import Preferences
from surefoot.evaluation import ruler_rewards
from surefoot.evaluation.pairs.judgments import judge
from surefoot.scorers.temperature import fit_temperature, to_probabilities
from surefoot.statistics import (
    Comparison,
    Estimate,
    hierarchical,
    hierarchical_difference,
    log_loss,
)

__all__ = ["Settings", "experiment", "markdown"]

RULERS = ("longer", "shorter")


@dataclass
class Outcome:
    """Per-pair outcomes on the held-out pairs, one array for each seed."""

    right: list[np.ndarray] = field(default_factory=list)
    losses: list[np.ndarray] = field(default_factory=list)
    chosen: list[np.ndarray] = field(default_factory=list)
    clusters: list[np.ndarray] = field(default_factory=list)

    def add(
        self,
        cell: Mapping[str, np.ndarray],
        test: Preferences,
        ids: np.ndarray,
        flip_rate: float = 0.0,
    ) -> None:
        """One more seed; `flip_rate` is what its temperature is given."""
        judged = judge(cell["rewards"], test, probabilities(cell, flip_rate))
        self.right.append(judged.correct)
        self.losses.append(log_loss(judged.probabilities, test.labels))
        self.clusters.append(ids)
        if len(cell["change"]):
            first = (test.labels > 0.5)[:, None]
            self.chosen.append(np.where(first, cell["change"], cell["change"][:, ::-1])[:, 0])

    def mean(self, what: str) -> Estimate:
        """Over seeds and pairs."""
        return hierarchical(getattr(self, what), self.clusters)

    def against(self, other: Outcome, what: str = "right") -> Comparison:
        """Paired difference to another method on the same seeds and pairs."""
        return hierarchical_difference(getattr(self, what), getattr(other, what), self.clusters)


def probabilities(cell: Mapping[str, np.ndarray], flip_rate: float) -> np.ndarray:
    """P(a preferred) of the held-out pairs, by a temperature fitted on the calibration pairs."""
    margins, labels = (cell[f"calibration_{n}"] for n in ("margins", "labels"))
    temperature = 1.0
    if len(margins):
        temperature = fit_temperature(margins, labels, np.ones_like(labels), flip_rate).value
    return to_probabilities(cell["rewards"][:, 0] - cell["rewards"][:, 1], temperature)


def run(settings: Settings, work: Work) -> dict[str, Any]:
    """Every cell; all methods of a seed before the next seed."""
    parts = load(settings)
    found: dict[str, Any] = {
        name: {rate: {m: Outcome() for m in part.rows} for rate in part.flip_rates}
        for name, part in settings.parts.items()
    }
    rulers = {name: {ruler: Outcome() for ruler in RULERS} for name in settings.parts}
    small = []
    names = sorted(set(parts[settings.source].strings("group")))
    number = {name: i for i, name in enumerate(names)}
    for k in range(max(part.seeds for part in settings.parts.values())):
        started = time.monotonic()
        seed = prepare(settings, parts, k, work)
        small.append(seed.described)
        print(f"seed {seed.number}: small model {time.monotonic() - started:.0f} s", flush=True)
        ids = np.array([number[one] for one in seed.test.strings("group")])
        for name, part in settings.parts.items():
            if k >= part.seeds:
                continue
            for ruler, rewards in ruler_rewards(seed.test).items():
                if ruler in RULERS:
                    rulers[name][ruler].add(_of_ruler(rewards), seed.test, ids)
            for rate in part.flip_rates:
                for title, method in part.methods.items():
                    outcome = found[name][rate][title]
                    cell = run_cell(settings, part, method, rate, seed, work)
                    outcome.add(cell, seed.test, ids, method.known_flip_rate)
                    if title == "plain" and part.known_flip_rate:
                        found[name][rate][CALIBRATED].add(
                            cell, seed.test, ids, part.known_flip_rate
                        )
                    print(
                        f"seed {seed.number}, {name}, {rate:.0%} flipped, {title}: "
                        f"accuracy {outcome.right[-1].mean():.3f}, "
                        f"log-loss {outcome.losses[-1].mean():.3f}, "
                        f"{cell['seconds']:.0f} s",
                        flush=True,
                    )
    pairs = len(parts[settings.source])
    return {"pairs": pairs, "small": small, "parts": found, "rulers": rulers}


def _of_ruler(rewards: np.ndarray) -> dict[str, Any]:
    """A ruler as a cell; its probabilities mean nothing."""
    none = np.empty(0)
    return {
        "rewards": rewards,
        "change": np.empty((0, 2)),
        "calibration_margins": none,
        "calibration_labels": none,
    }


def of_plain(found: dict[str, Any]) -> dict[str, dict[str, Comparison]]:
    """Plain of each part against the better ruler, and flipped against clean labels."""
    made: dict[str, dict[str, Comparison]] = {}
    for name, rates in found["parts"].items():
        made[name] = {}
        best = max(RULERS, key=lambda r: found["rulers"][name][r].mean("right").estimate)
        for rate, cells in rates.items():
            title = f"{best} wins ({rate:.0%} flipped)"
            made[name][title] = cells["plain"].against(found["rulers"][name][best])
        for rate in rates:
            if rate and 0.0 in rates:
                cost = rates[rate]["plain"].against(rates[0.0]["plain"])
                made[name][f"itself ({rate:.0%} flipped less clean)"] = cost
    return made


def figures(found: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Every figure, JSON-ready."""

    def one(title: str, cells: Mapping[str, Outcome], part: Part) -> dict[str, Any]:
        outcome = cells[title]
        content = {
            "accuracy": outcome.mean("right").to_dict(),
            "accuracy_by_seed": [float(v.mean()) for v in outcome.right],
            "log_loss": outcome.mean("losses").to_dict(),
        }
        if outcome.chosen:
            content["chosen_change"] = outcome.mean("chosen").to_dict()
        if title != "plain":
            knows = title in part.methods and part.methods[title].known_flip_rate
            content["against"] = against = CALIBRATED if knows else "plain"
            content["accuracy_difference"] = outcome.against(cells[against]).to_dict()
            content["log_loss_difference"] = outcome.against(cells[against], "losses").to_dict()
        return content

    content = {
        "schema_version": 2,
        "pairs": found["pairs"],
        "small_model": found["small"],
        "parts": {
            name: {
                str(rate): {t: one(t, cells, settings.parts[name]) for t in cells}
                for rate, cells in rates.items()
            }
            for name, rates in found["parts"].items()
        },
        "plain_against": {
            name: {title: c.to_dict() for title, c in made.items()}
            for name, made in of_plain(found).items()
        },
        "rulers": {
            name: {r: o.mean("right").to_dict() for r, o in rulers.items()}
            for name, rulers in found["rulers"].items()
        },
    }
    correct_all(content)
    return content


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(run(settings, work), settings)
