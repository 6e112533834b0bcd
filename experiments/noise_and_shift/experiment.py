"""Noise against shift: which composition is nowhere worse than the best by more than a margin.

Worlds of linear rewards in groups of unequal shares, whose truth is known. Labels are drawn from
Bradley-Terry and flipped; tests have other shares of the groups. Every method is an objective of
the library on the same data, solved to its minimum. HH illustrates.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from experiments.common.work import Work
from experiments.noise_and_shift.hh import HH, hh_figures
from experiments.noise_and_shift.rule import Shortfall, recommended, shortfalls
from experiments.noise_and_shift.tables import markdown
from experiments.noise_and_shift.world import (
    Drawn,
    Size,
    World,
    cross_fitted,
    draw,
    with_rate,
)
from surefoot.arrays import Floats
from surefoot.objectives import Evidence, Objective
from surefoot.options import Options
from surefoot.worlds.linear_fits import LinearProblems

__all__ = ["Settings", "experiment", "markdown"]

#: Gap at which a fit with kinks is solved, and length of the gradient at which another one is.
SOLVED = 5e-4
FOLDS = 5


class Confirmation(Options):
    """One method, chosen on other worlds before, judged on more of them."""

    method: str
    rivals: tuple[str, ...] = Field(min_length=1)
    """Who it is compared with."""
    repetitions: int = Field(ge=3)
    first_seed: int
    attempts: int = Field(1, ge=1)
    """Methods judged so up to this one, on worlds of their own; corrected for."""


class Settings(Options):
    """The experiment."""

    margin: float = Field(gt=0)
    size: Size
    flips: tuple[float, ...]
    worlds: dict[str, World]
    methods: dict[str, dict[str, Any]]
    """Objectives; the word `flips` in them is the flip rate of the labels."""
    confirmation: Confirmation | None = None
    hh: HH | None = None

    @model_validator(mode="after")
    def _confirmed_is_known(self) -> Self:
        if (chosen := self.confirmation) is not None:
            names = [chosen.method, *chosen.rivals]
            unknown = [name for name in names if name not in self.methods]
            if unknown or len(set(names)) < len(names):
                raise ValueError(f"confirmation: {unknown or names} should be distinct methods.")
            if chosen.first_seed == self.size.first_seed:
                raise ValueError(f"confirmation: seed {chosen.first_seed} has been seen.")
        return self


Found = dict[tuple[str, float], dict[str, Floats]]
#: World, flip rate and use.
Test = tuple[str, float, str]


def run(settings: Settings, work: Work) -> Found:
    """By world and flip rate: regrets (M, R, G) and log-losses (M, R) of all methods."""
    found: Found = {}
    for name, world in settings.worlds.items():
        for rate in settings.flips:
            started = time.process_time()
            cell = Cell(settings.size, world, rate, work)
            kept = [
                cell.outcome(Objective(**with_rate(options, rate)))
                for options in settings.methods.values()
            ]
            found[name, rate] = {key: np.stack([one[key] for one in kept]) for key in kept[0]}
            print(f"{name}, {rate:.0%}: {time.process_time() - started:.0f} s", flush=True)
    return found


@dataclass
class Cell:
    """One kind of world at one flip rate; what is finished is not fitted again."""

    size: Size
    world: World
    flip_rate: float
    work: Work

    @cached_property
    def drawn(self) -> Drawn:
        """The data."""
        return draw(self.world, self.size, self.flip_rate)

    @cached_property
    def evidence(self) -> Evidence:
        """Labels, and what the cross-fitted auxiliary model says of them."""
        return Evidence(self.drawn.label, cross_fitted(self.drawn, FOLDS, self.size.l2))

    def outcome(self, objective: Objective) -> dict[str, Floats]:
        """Regrets (R, G) and log-losses (R,)."""
        given = [one.model_dump(mode="json") for one in (self.size, self.world, objective)]

        def make() -> dict[str, Floats]:
            margins = self.drawn.margins(self.fit(objective))
            regret, loss = self.drawn.regret(margins), self.drawn.excess_log_loss(margins)
            return {"regret": regret, "log_loss": loss}

        return self.work.arrays([*given, self.flip_rate], make)

    def fit(self, objective: Objective) -> torch.Tensor:
        """Weights (R, D) at the objective's minimum."""
        units = None if objective.risk.unit == "pair" else self.drawn.units
        problem = LinearProblems(objective, self.drawn.x, self.evidence, self.size.l2, units=units)
        return problem.solve(tolerance=1e-6 if objective.smooth else SOLVED)


def uses(size: Size) -> dict[str, Floats | None]:
    """Shares of the groups in use; None: the group where a method does worst."""
    shares = np.array(size.shares)
    equal = np.full(len(shares), 1 / len(shares))
    return {"as trained": shares, "equal": equal, "reversed": shares[::-1], "worst group": None}


def in_use(regret: Floats, shares: Floats | None) -> Floats:
    """Regret (...) where groups have these shares, from regrets (..., G)."""
    return np.asarray(regret.max(-1) if shares is None else regret @ shares)


def in_cells(found: Found, size: Size) -> tuple[list[Test], Floats]:
    """World, flips and use of each of C cells, and regrets (C, M, R) there."""
    columns = uses(size)
    cells = [(*where, test) for where in found for test in columns]
    losses = np.stack([in_use(found[w, f]["regret"], columns[t]) for w, f, t in cells])
    return cells, losses


def figures(found: Found, settings: Settings) -> dict[str, Any]:
    """Every figure of all methods, JSON-ready."""
    cells, losses = in_cells(found, settings.size)
    names = list(settings.methods)
    content = decision(cells, losses, names, settings.margin)
    log_losses = np.mean([one["log_loss"].mean(-1) for one in found.values()], axis=0)
    for name, value in zip(names, log_losses.tolist(), strict=True):
        content["methods"][name]["log_loss"] = round(value, 5)
    return {"schema_version": 1, **content}


def regrets(found: Found, settings: Settings, recommended: str) -> list[dict[str, Any]]:
    """Mean regrets in each cell: of plain, of what is recommended, of the best there."""
    cells, losses = in_cells(found, settings.size)
    names, rows = list(settings.methods), []
    for (world, flips, test), means in zip(cells, losses.mean(-1).round(5).tolist(), strict=True):
        by_name = dict(zip(names, means, strict=True))
        shown = {"plain": by_name["plain"], "recommended": by_name[recommended], "best": min(means)}
        rows.append({"world": world, "flips": flips, "test": test, **shown})
    return rows


def decision(
    cells: Sequence[Test], losses: Floats, names: Sequence[str], margin: float
) -> dict[str, Any]:
    """Shortfalls of all methods, overall and where a user knows the flips or the use."""
    found = shortfalls(losses, margin)
    flips, tests = (list(dict.fromkeys(cell[k] for cell in cells)) for k in (1, 2))
    known = []
    for f in flips:
        for u in tests:
            values = _largest(cells, losses, f, u)
            k = int(np.argmax(values <= values.min() + margin / 5))  # the first of them
            known.append(
                {"flips": f, "test": u, "method": names[k], "shortfall": round(float(values[k]), 5)}
            )
    rows = _rows(cells, losses, names, found)
    return {"recommended": names[recommended(found)], "methods": rows, "known": known}


def _largest(
    cells: Sequence[Test], losses: Floats, flip_rate: object = None, use: object = None
) -> Floats:
    """Largest distances (M,) to the best, over the cells with this flip rate and use, if given."""
    mean = losses.mean(-1)
    short = mean - mean.min(1, keepdims=True)  # (C, M)
    inside = [flip_rate in (None, f) and use in (None, u) for _, f, u in cells]
    return np.asarray(short[inside].max(0))


def _rows(
    cells: Sequence[Test], losses: Floats, names: Sequence[str], found: Sequence[Shortfall]
) -> dict[str, Any]:
    """What the tables show of each method that was judged."""
    flips, tests = (list(dict.fromkeys(cell[k] for cell in cells)) for k in (1, 2))
    by_flips = {f"{f:g}": _largest(cells, losses, f) for f in flips}
    by_test = {str(u): _largest(cells, losses, None, u) for u in tests}
    rows = {}
    for k, one in enumerate(found):
        world, rate, use = cells[one.cell]
        rows[names[k]] = {
            **one.to_dict(),
            "cell": {"world": world, "flips": rate, "test": use},
            "rival": names[one.rival],
            "flips": {f: round(float(values[k]), 5) for f, values in by_flips.items()},
            "tests": {u: round(float(values[k]), 5) for u, values in by_test.items()},
        }
    return rows


def confirmation(settings: Settings, chosen: Confirmation, work: Work) -> dict[str, Any]:
    """The shortfall of the method that was chosen before, on worlds of its own."""
    names = [chosen.method, *chosen.rivals]
    more = chosen.model_dump(include={"repetitions", "first_seed"})
    size = settings.size.model_copy(update=more)
    methods = {name: settings.methods[name] for name in names}
    found = run(settings.model_copy(update={"size": size, "methods": methods}), work)
    cells, losses = in_cells(found, size)
    judged = shortfalls(losses, settings.margin, judged=1, attempts=chosen.attempts)
    return _rows(cells, losses, names, judged)[chosen.method]


def experiment(settings: Settings, work: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    found = run(settings, work)
    content = figures(found, settings)
    if settings.confirmation is not None:
        content["confirmation"] = confirmation(settings, settings.confirmation, work)
        if content["confirmation"]["verdict"] == "within":
            content["recommended"] = settings.confirmation.method
    content["regrets"] = regrets(found, settings, content["recommended"])
    if settings.hh is not None:
        content["hh"] = hh_figures(settings.hh, work)
    return content
