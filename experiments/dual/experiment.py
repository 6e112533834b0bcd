"""Running duals: the robust value that steps estimate, and where training on them ends."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from experiments.common.tables import estimate as parsed
from experiments.common.tables import table
from experiments.common.work import Work
from experiments.dual.world import World, minimum
from surefoot.objectives import Risk
from surefoot.options import Options
from surefoot.statistics import mean

ESTIMATES = ("step", "dual", "micro-batches")


class Settings(Options):
    """The experiment."""

    seeds: int = Field(10, ge=10)
    risks: dict[str, dict[str, Any]]
    """Of both parts, by the name in the tables."""
    losses: int = Field(20_000, ge=100)
    """Part 1: exponential losses, whose robust value is estimated."""
    step_sizes: tuple[int, ...]
    passes: int = Field(4, ge=2)
    """Over all the losses; the last half is averaged."""
    micro_batch: int = Field(4, ge=1)
    """Pairs of the statistic that is taken on each micro-batch and averaged over the step."""
    pairs: int = Field(2000, ge=100)
    """Part 2: comparisons in the convex world."""
    features: int = Field(5, ge=1)
    l2: float = Field(0.05, gt=0)
    step_size: int = Field(16, ge=2)
    """Of part 2."""
    learning_rate: float = Field(0.5, gt=0)
    """Of plain gradient descent, over the square root of the step."""
    checkpoints: tuple[int, ...]
    """Steps at which the gap is measured; the rate is fitted from `fitted_from` on."""
    fitted_from: int = 100


def made(settings: Settings, name: str, estimate: str) -> Risk:
    """The risk; `micro-batches` is `step` on parts of a step."""
    return Risk.parse(settings.risks[name] | ({"estimate": "dual"} if estimate == "dual" else {}))


def seen(
    settings: Settings, risk: Risk, estimate: str, losses: Tensor, state: Any
) -> tuple[Tensor, Tensor, Any]:
    """Value (S,), weights (n, S) and state, from the losses (n, S) of a step."""
    if estimate != "micro-batches":
        found = risk(losses, state=state)
        return found.value.detach(), found.weights, found.state
    parts = losses.unflatten(0, (-1, settings.micro_batch)).transpose(0, 1)  # (m, n / m, S)
    found = risk(parts)
    weights = found.weights.transpose(0, 1).flatten(0, 1) / parts.shape[1]
    return found.value.detach().mean(0), weights, {}


# Part 1: what is estimated


def estimates(settings: Settings) -> list[dict[str, Any]]:
    """By risk and step size: the value of all the losses, and the estimates' means over seeds."""
    found = []
    draw = np.random.default_rng(0).exponential(size=(settings.losses, settings.seeds))
    losses = torch.from_numpy(draw)
    for name in settings.risks:
        exact = made(settings, name, "step")(losses).value
        for size in settings.step_sizes:
            row: dict[str, Any] = {"risk": name, "pairs": size}
            row["exact"] = _of_seeds(exact.numpy())
            for estimate in ESTIMATES:
                if estimate == "dual" and not has_dual(settings, name):
                    continue
                ratio = _estimate(settings, name, estimate, losses, size) / exact
                row[estimate] = _of_seeds(ratio.numpy())
            found.append(row)
            print(row["risk"], size, file=sys.stderr)
    return found


def _of_seeds(values: np.ndarray) -> dict[str, Any]:
    return mean(values, covers="seeds").to_dict()


def has_dual(settings: Settings, name: str) -> bool:
    """TV has none."""
    return settings.risks[name]["kind"] != "tv"


def _estimate(settings: Settings, name: str, estimate: str, losses: Tensor, size: int) -> Tensor:
    """Mean value (S,) over the steps of the last half of the passes."""
    risk, state, values = made(settings, name, estimate), {}, []
    steps = len(losses) // size
    for epoch in range(settings.passes):
        order = np.random.default_rng([1, epoch]).permutation(len(losses))[: steps * size]
        for rows in torch.from_numpy(order).view(steps, size):
            value, _, state = seen(settings, risk, estimate, losses[rows], state)
            values.append(value)
    return torch.stack(values[len(values) // 2 :]).mean(0)


# Part 2: where training ends


def training(settings: Settings) -> list[dict[str, Any]]:
    """By risk and estimate: the gap of the average of the second half of the path, by step."""
    found = []
    worlds = [World.draw(settings.pairs, settings.features, seed) for seed in range(settings.seeds)]
    for name in settings.risks:
        exact = made(settings, name, "step")
        least = [minimum(world, exact, settings.l2) for world in worlds]
        for estimate in ESTIMATES:
            if estimate == "dual" and not has_dual(settings, name):
                continue
            paths = _descend(settings, made(settings, name, estimate), estimate, worlds)
            gaps = np.array(
                [
                    [
                        world.value(exact, settings.l2, path[s]) - lowest.value
                        for s, (world, lowest) in enumerate(zip(worlds, least, strict=True))
                    ]
                    for path in paths
                ]
            )
            found.append(
                _row(settings, name, estimate, gaps) | {"proven": max(x.gap for x in least)}
            )
            print(name, estimate, gaps.mean(1).round(5).tolist(), file=sys.stderr)
    return found


def _descend(
    settings: Settings, risk: Risk, estimate: str, worlds: list[World]
) -> list[np.ndarray]:
    """Averages (S, D) over the second half of the steps up to each checkpoint, S seeds at once."""
    x = torch.stack([world.x for world in worlds], dim=1)  # (N, S, D)
    weights = torch.zeros(len(worlds), settings.features, dtype=torch.float64)
    sums, kept, paths, state = torch.zeros_like(weights), {0: torch.zeros_like(weights)}, [], {}
    rng = np.random.default_rng(2)
    wanted = {0, *settings.checkpoints, *(c // 2 for c in settings.checkpoints)}
    for step in range(1, max(settings.checkpoints) + 1):
        rows = x[torch.from_numpy(rng.integers(0, len(x), settings.step_size))]
        margins = torch.einsum("nsd,sd->ns", rows, weights)
        losses = torch.nn.functional.softplus(-margins)
        _, q, state = seen(settings, risk, estimate, losses, state)
        slope = -torch.einsum("ns,nsd->sd", q * torch.sigmoid(-margins), rows)
        rate = settings.learning_rate / step**0.5
        weights = weights - rate * (slope + settings.l2 * weights)
        sums = sums + weights
        if step in wanted:
            kept[step] = sums
        if step in settings.checkpoints:
            paths.append(((sums - kept[step // 2]) / (step - step // 2)).numpy())
    return paths


def _row(settings: Settings, name: str, estimate: str, gaps: np.ndarray) -> dict[str, Any]:
    """Gaps (C, S) as a row; the rate is the slope of log gap against log steps, seed by seed."""
    steps = np.array(settings.checkpoints)
    late = steps >= settings.fitted_from
    logs = np.log(np.maximum(gaps[late], 1e-16))
    slopes = np.polyfit(np.log(steps[late]), logs, 1)[0]
    return {
        "risk": name,
        "estimate": estimate,
        "gaps": {str(c): _of_seeds(g) for c, g in zip(steps, gaps, strict=True)},
        "rate": _of_seeds(slopes),
    }


def experiment(settings: Settings, _: Work) -> dict[str, Any]:
    """Every figure of both parts, JSON-ready."""
    torch.set_num_threads(1)
    return {"estimates": estimates(settings), "training": training(settings)}


def markdown(figures: dict[str, Any], settings: Settings) -> str:
    """Both tables."""
    return "\n".join([*_estimates(settings, figures), "", *_training(settings, figures), ""])


def _cell(row: dict[str, Any], name: str, spec: str = ".3f") -> str:
    return format(parsed(row[name]), spec) if name in row else "refused"


def _estimates(settings: Settings, figures: dict[str, Any]) -> list[str]:
    lines = [
        f"What steps estimate, as a share of the robust value of all {settings.losses} losses "
        f"(exponential); {settings.seeds} seeds, {settings.passes} passes of which the last half "
        f"is averaged; micro-batches of {settings.micro_batch}:",
        "",
    ]
    heads = ["risk", "pairs in a step", "`step`", "`dual`", "micro-batches"]
    rows = [
        [row["risk"], str(row["pairs"]), *(_cell(row, name) for name in ESTIMATES)]
        for row in figures["estimates"]
    ]
    return lines + table(heads, rows)


def _training(settings: Settings, figures: dict[str, Any]) -> list[str]:
    steps = settings.checkpoints
    lines = [
        "Gap to the exact robust minimum of the average of the second half of the path, in "
        f"steps of {settings.step_size}; {settings.pairs} pairs, {settings.features} features, "
        f"{settings.seeds} seeds. *Rate*: slope of log gap against log steps from "
        f"{settings.fitted_from} on; theory has -.5 for unbiased gradients of a convex function:",
        "",
    ]
    rows = [
        [
            row["risk"],
            row["estimate"],
            *(f"{row['gaps'][str(step)]['estimate']:.4f}" for step in steps),
            _cell(row, "rate", ".2f"),
        ]
        for row in figures["training"]
    ]
    return lines + table(["risk", "estimate", *map(str, steps), "rate"], rows)
