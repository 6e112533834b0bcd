"""Every ball against a conic solver and against its own dual: value, feasibility, limits."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import cvxpy
import numpy as np
import torch
from pydantic import Field

from experiments.common.tables import table
from experiments.common.work import Work
from surefoot.arrays import Floats
from surefoot.objectives import Risk
from surefoot.options import Options

#: The size of each ball: the option, and values of it from the mean to the maximum.
SIZES: dict[str, tuple[str, tuple[float, ...]]] = {
    "tv": ("radius", (0.001, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8)),
    "chi-squared": ("radius", (0.001, 0.01, 0.05, 0.1, 0.3, 1.0, 3.0)),
    "kl": ("radius", (0.001, 0.01, 0.05, 0.1, 0.3, 1.0, 2.0)),
    "cvar": ("level", (0.99, 0.9, 0.7, 0.5, 0.3, 0.1, 0.02)),
}


class Settings(Options):
    """The experiment."""

    first_problem: int = 0
    problems: int = Field(100, ge=2)
    """Random losses and masses, each tried at every size of every ball."""
    units: tuple[int, int] = (2, 40)
    """Fewest and most units of a problem."""


def problem(settings: Settings, seed: int) -> tuple[Floats, Floats]:
    """Losses (U,) on some scale, often with ties, and masses (U,), often very unequal."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(settings.units[0], settings.units[1] + 1))
    losses = rng.normal(size=count).round(int(rng.integers(0, 6))) * 10.0 ** rng.integers(-4, 5)
    mass = rng.dirichlet(np.full(count, rng.choice([0.3, 1.0, 10.0]))) + 1e-6
    return losses, mass / mass.sum()


def solved(kind: str, size: float, x: Floats, p: Floats) -> float:
    """The largest sum q x over the ball, by Clarabel: a linear, quadratic or exponential cone."""
    q = cvxpy.Variable(len(p))
    root = np.sqrt(p)
    constraints = {
        "tv": lambda: [cvxpy.norm1(q - p) <= 2 * size, q >= 0],
        "chi-squared": lambda: [
            cvxpy.norm(cvxpy.multiply(1 / root, q - p)) <= np.sqrt(2 * size),
            q >= 0,
        ],
        "kl": lambda: [cvxpy.sum(cvxpy.rel_entr(q, p)) <= size],
        "cvar": lambda: [q <= p / size, q >= 0],
    }[kind]()
    made = cvxpy.Problem(cvxpy.Maximize(x @ q), [cvxpy.sum(q) == 1, *constraints])
    for tolerance in (1e-13, 1e-11, 1e-9):  # as many digits as it gives
        with warnings.catch_warnings(), suppress(cvxpy.SolverError):
            warnings.simplefilter("ignore")
            made.solve("CLARABEL", tol_gap_abs=tolerance, tol_gap_rel=tolerance, tol_feas=tolerance)
        if made.value is not None:
            break
    return float(made.value)


def excess(kind: str, size: float, q: Floats, p: Floats) -> float:
    """How far weights are outside the ball; negative inside."""
    return {
        "tv": lambda: np.abs(q - p).sum() / 2 - size,
        "chi-squared": lambda: ((q - p) ** 2 / p).sum() / 2 - size,
        "kl": lambda: (q * np.log(np.where(q > 0, q, p) / p)).sum() - size,
        "cvar": lambda: (q - p / size).max(),
    }[kind]()


def dual(kind: str, size: float, x: Floats, p: Floats, q: Floats) -> float:
    """The dual objective at the multiplier that the weights imply: never below the maximum."""
    ends = [int(np.where(q > 1e-200, x, np.inf).argmin()), int(x.argmax())]
    (low, high), (t_low, t_high) = x[ends], (q / p)[ends]
    if kind == "tv":
        above = p @ np.maximum(x[:, None] - x, 0)
        return float((size * x.max() + (1 - size) * x + above).min())
    if kind == "cvar":
        return float((x + p @ np.maximum(x[:, None] - x, 0) / size).min())
    if t_high - t_low <= 1e-9:  # all weight is on units that are equal
        return float(x.max())
    if kind == "chi-squared":
        eta = (high * t_low - low * t_high) / (t_low - t_high)
        return float(eta + np.sqrt((1 + 2 * size) * (p @ np.maximum(x - eta, 0) ** 2)))
    t = (high - low) / np.log(t_high / t_low)
    return float(x.max() + t * np.log(p @ np.exp((x - x.max()) / t)) + t * size)


def of(kind: str, size: float) -> Risk:
    """The ball."""
    return Risk.parse({"kind": kind, SIZES[kind][0]: size})


def one(kind: str, losses: Floats, mass: Floats) -> dict[str, float]:
    """The worst figures of a ball over its sizes, in units of the range of the losses."""
    span = max(float(np.ptp(losses)), 1e-300)
    x = (losses - losses.min()) / span
    worst: dict[str, float] = {}

    def note(name: str, value: float) -> None:
        worst[name] = max(worst.get(name, 0.0), float(value))

    before = float(mass @ losses)
    for size in SIZES[kind][1]:
        found = of(kind, size)(torch.from_numpy(losses), torch.from_numpy(mass))
        value, q = float(found.value), found.weights.numpy()
        mine = float(q @ x)
        note("solver", abs(mine - solved(kind, size, x, mass)))
        note("gap", dual(kind, size, x, mass, q) - mine)
        note("outside", max(excess(kind, size, q, mass), -q.min(), abs(q.sum() - 1)))
        note("falls", (before - value) / span)
        note("range", max(float(mass @ losses) - value, value - losses.max()) / span)
        shifted = of(kind, size)(torch.from_numpy(losses + 7 * span), torch.from_numpy(mass))
        note("shift", abs(float(shifted.value) - 7 * span - value) / span)
        single = of(kind, size)(torch.from_numpy(x).float(), torch.from_numpy(mass).float())
        note("single", abs(float(single.value) - mine))
        before = value
    neutral = type(of(kind, 0.5))(**of(kind, 0.5).properties.neutral)
    at_rest = neutral(torch.from_numpy(losses), torch.from_numpy(mass))
    note("neutral", np.abs(at_rest.weights.numpy() - mass).max())
    return worst


def experiment(settings: Settings, _: Work) -> dict[str, Any]:
    """The worst figures of every ball over all problems, JSON-ready."""
    start = time.perf_counter()
    seeds = range(settings.first_problem, settings.first_problem + settings.problems)
    drawn = [problem(settings, seed) for seed in seeds]
    figures: dict[str, dict[str, float]] = {}
    for kind in SIZES:
        each = [one(kind, *given) for given in drawn]
        figures[kind] = {name: max(row[name] for row in each) for name in each[0]}
        print(f"{kind}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return {"worst": figures}


COLUMNS = {
    "solver": "from the solver",
    "gap": "duality gap",
    "outside": "outside the ball",
    "falls": "falls as the ball grows",
    "range": "outside mean and maximum",
    "shift": "shift by a constant",
    "neutral": "neutral setting",
    "single": "float32",
}


def markdown(content: Mapping[str, Any], settings: Settings) -> str:
    """The table."""
    rows = [
        [f"`{kind}`", *(f"{found[name]:.0e}" for name in COLUMNS)]
        for kind, found in content["worst"].items()
    ]
    low, high = settings.units
    return "\n".join(
        [
            f"{settings.problems} problems of {low} to {high} units, seven sizes of each ball: the "
            "largest error, in units of the range of the losses (weights and distances as they "
            "are).",
            "",
            *table(["ball", *COLUMNS.values()], rows),
            "",
        ]
    )
