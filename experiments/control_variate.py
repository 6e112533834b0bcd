"""VRPO's label model in tabular worlds: its bias by enumeration, the error of its parameters.

    python experiments/control_variate.py experiments/control_variate.yaml
                                          [--output experiments/results]

Writes `control_variate.json` (every figure with its interval) and `control_variate.md` (tables).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pydantic import Field

from surefoot.objectives import Evidence, Objective
from surefoot.objectives.label_models.control_variate import ControlVariate
from surefoot.options import Options
from surefoot.scorers.coefficient import PlainHeads, fit_coefficient, plain_heads
from surefoot.scorers.head import Problem
from surefoot.statistics import Estimate, mean
from surefoot.statistics.estimate import refused
from surefoot.worlds import TabularPairs, TabularTruth, TabularWorld
from surefoot.worlds.linear_fits import LinearProblems, solve_between
from surefoot.worlds.tabular import tilted
from surefoot.worlds.tabular_truth import noisy, useless

COEFFICIENTS = (1.0, "shrunk", "fitted")
MODELS = ("true", "noisy", "useless")
COVERS = "worlds and draws of data"


class Bias(Options):
    """Part 1."""

    worlds: int = Field(10, ge=1)
    losses: tuple[str, ...]
    coefficients: tuple[float, ...]


class Settings(Options):
    """The experiment."""

    first_world: int = 0
    worlds: int = Field(20, ge=10)
    safety: int = Field(40, ge=1)
    """Draws of data in each world of `truths` with the useless model and `learned_pairs`."""
    repetitions: int = Field(6, ge=1)
    """The same with the other models."""
    fewer: int = Field(3, ge=1)
    """The same at other numbers of pairs, and in `elsewhere`."""
    comparisons: int = Field(400, ge=10)
    pairs: tuple[int, ...]
    learned_pairs: int = 8
    """M of the main comparison, where there is a learned auxiliary model too."""
    noise: float = Field(1.0, gt=0)
    folds: int = Field(5, ge=2)
    l2: float = Field(0.01, gt=0)
    """Ridge penalty of every fit, and of what it is compared with."""
    ridge: float = Field(0.02, gt=0)
    """The same of the learned auxiliary model."""
    truths: dict[str, TabularTruth]
    elsewhere: dict[str, TabularTruth] = Field({})
    bias: Bias

    @property
    def seeds(self) -> range:
        """Of the worlds."""
        return range(self.first_world, self.first_world + self.worlds)

    @property
    def row_folds(self) -> torch.Tensor:
        """(N,) fold of each row: rows have no order, and prompts are too few to hold out."""
        return torch.arange(self.comparisons) % self.folds

    def draws(self, truth: str) -> list[tuple[int, int, tuple[str, ...]]]:
        """Numbers of pairs, each with its number of repetitions and its auxiliary models."""
        main, learnt = self.learned_pairs, ("learned", "learned, not cross-fitted")
        if truth in self.elsewhere:
            return [(main, self.fewer, (*MODELS, *learnt))]
        others = [(m, self.fewer, MODELS) for m in self.pairs if m != main]
        several = (main, self.repetitions, ("true", "noisy", *learnt))
        return sorted([*others, several, (main, self.safety, ("useless",))])


def vrpo(coefficient: float | str, loss: str = "logistic") -> Objective:
    """The objective."""
    return Objective(loss=loss, labels=ControlVariate(coefficient=coefficient))


def another_policy(world: TabularWorld, seed: int) -> np.ndarray:
    """A policy (X, A) that is not the reference, normal of deviation 1 in the logits."""
    logits = np.random.default_rng([seed, 6]).standard_normal(world.reference.shape)
    return tilted(world.reference, logits)


# Part 1


def bias(settings: Settings) -> list[dict[str, Any]]:
    """Largest error of an entry of the expected gradient, over worlds, truths and points.

    The right one is that of the plain loss on true labels of the reference's comparisons.
    """
    found = []
    for loss in settings.bias.losses:
        for name in ("true", "noisy", "useless", "reversed"):
            row: dict[str, Any] = {"loss": loss, "auxiliary": name}
            for policy in ("reference", "another policy"):
                for c in settings.bias.coefficients:
                    row[f"{policy}, {c:g}"] = max(
                        _bias(world, seed, loss, name, policy, c, settings.noise)
                        for truth in settings.truths.values()
                        for seed in settings.seeds[: settings.bias.worlds]
                        for world in [truth.world(seed)]
                    )
            found.append(row)
    return found


def _bias(
    world: TabularWorld, seed: int, loss: str, auxiliary: str, policy: str, c: float, noise: float
) -> float:
    g = world.preference
    model = {
        "true": g,
        "noisy": noisy(g, noise, seed),
        "useless": useless(g),
        "reversed": 1 - g,
    }[auxiliary]
    behaviour = None if policy == "reference" else another_policy(world, seed)
    point = 0.5 * np.random.default_rng([seed, 7]).standard_normal(world.features.shape[-1])
    right = world.expected(Objective(loss=loss), point)[1]
    return float(np.abs(world.expected(vrpo(c, loss), point, model, behaviour)[1] - right).max())


# Part 2


@dataclass
class Cell:
    """Squared errors of the parameters by one method in one setting, in the worlds done so far.

    Attributes:
        errors: W arrays (R,).
        plain: the plain loss's on the same draws.
        coefficients: W arrays (R,).
    """

    errors: list[np.ndarray] = field(default_factory=list)
    plain: list[np.ndarray] = field(default_factory=list)
    coefficients: list[np.ndarray] = field(default_factory=list)

    @cached_property
    def ratio(self) -> Estimate:
        """Mean squared error over the plain loss's."""
        return ratio(self.errors, self.plain)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        used = np.concatenate(self.coefficients)
        errors = [e.mean() for e in self.errors]
        return {
            "ratio": self.ratio.to_dict(),
            "mean_squared_error": mean(errors, covers=COVERS).to_dict(),
            "coefficient": {
                "mean": float(used.mean()),
                "zero": float((used == 0).mean()),
                "std": float(used.std()),
            },
            "repetitions": len(used),
        }


def ratio(above: list[np.ndarray], below: list[np.ndarray]) -> Estimate:
    """Ratio of two means over worlds and draws, by its linearisation in the worlds' means."""
    a, b = (np.array([values.mean() for values in some]) for some in (above, below))
    share = a.mean() / b.mean()
    values = share + (a - share * b) / b.mean()
    if np.ptp(values) < 1e-12:
        return refused(share, len(values), COVERS, 0.95, "the same in every world")
    return mean(values, covers=COVERS)


def written(found: Estimate) -> str:
    """A ratio with its interval, or that there is nothing to tell apart."""
    return "the same" if found.low is None and found.estimate == 1 else str(found)


Cells = dict[tuple[str, str, int, str], Cell]


def errors(settings: Settings) -> Cells:
    """Every cell: (truth, auxiliary model, M, coefficient)."""
    cells: Cells = {}
    for name, truth in (settings.truths | settings.elsewhere).items():
        started = time.time()
        for seed in settings.seeds:
            world = truth.world(seed)
            target = world.minimiser(Objective().loss, settings.l2)
            known: dict[int, tuple[torch.Tensor, list[PlainHeads]]] = {}
            for m, repetitions, models in settings.draws(name):
                drawn = world.draw(
                    settings.comparisons,
                    m,
                    seed=[seed, settings.comparisons],  # the same comparisons for every m
                    repetitions=repetitions,
                )
                x = drawn.differences(world.features)
                if repetitions not in known:
                    known[repetitions] = plain_fits(settings, drawn, x)
                plain, heads = known[repetitions]
                for auxiliary in models:
                    evidence = evidence_of(settings, world, drawn, auxiliary, seed)
                    for c in COEFFICIENTS:
                        weights, used = fit(settings, c, x, evidence, plain, heads)
                        cell = cells.setdefault((name, auxiliary, m, str(c)), Cell())
                        cell.errors.append(_squared(weights, target))
                        cell.plain.append(_squared(plain, target))
                        cell.coefficients.append(used)
        print(f"{name}: {time.time() - started:.0f} s", flush=True)
    return cells


def _squared(weights: torch.Tensor, target: np.ndarray) -> np.ndarray:
    return np.square(weights.numpy() - target).sum(1)


def plain_fits(
    settings: Settings, drawn: TabularPairs, x: torch.Tensor
) -> tuple[torch.Tensor, list[PlainHeads]]:
    """The plain weights (R, D), and what `fitted` needs of them: no auxiliary model changes it."""
    rows = settings.comparisons
    weights = LinearProblems(Objective(), x[:rows], drawn.evidence(), settings.l2).solve()
    labels = drawn.evidence().label
    heads = [
        plain_heads(
            as_problem(x[:rows, r], Evidence(labels[:, r]), Objective()), settings.row_folds
        )
        for r in range(len(weights))
    ]
    return weights, heads


def evidence_of(
    settings: Settings, world: TabularWorld, drawn: TabularPairs, auxiliary: str, seed: int
) -> Evidence:
    """The evidence (N, R) by an auxiliary model."""
    if auxiliary.startswith("learned"):
        return learned(settings, world, drawn, settings.folds if auxiliary == "learned" else 1)
    g = world.preference
    model = {"true": g, "noisy": noisy(g, settings.noise, seed), "useless": useless(g)}[auxiliary]
    return drawn.evidence(model)


def learned(settings: Settings, world: TabularWorld, drawn: TabularPairs, folds: int) -> Evidence:
    """A general preference model on the features, by folds of rows (12 prompts are few).

    logit P(a over b) = w . (f_a - f_b) + f_a' K f_b, K antisymmetric: logistic regression on
    f_a - f_b and the entries of f_a f_b' - f_b f_a', with a ridge.
    """
    own, of_references = drawn.look_up(pair_features(world.features))
    fold = np.arange(len(own)) % folds  # rows are drawn in no order
    own_g, references_g = np.empty(own.shape[:2]), np.empty(of_references.shape[:2])
    for k in range(folds):
        inside = np.ones_like(own_g) if folds == 1 else (fold != k)[:, None] * np.ones_like(own_g)
        problem = LinearProblems(
            Objective(),
            torch.from_numpy(own),
            drawn.evidence(),
            settings.ridge,
            torch.tensor(inside),
        )
        weights = problem.solve().numpy()
        out, out_references = fold == k, (fold == k).repeat(drawn.pairs)
        own_g[out] = chance(own[out], weights)
        references_g[out_references] = chance(of_references[out_references], weights)
    return drawn.evidence(own_g, references_g)


def pair_features(f: np.ndarray, wedge: bool = True) -> np.ndarray:
    """(X, A, A, D') of pairs: differences of features (X, A, D), entries of f_a f_b' - f_b f_a'."""
    first, second = f[:, :, None, :], f[:, None, :, :]
    if not wedge:
        return first - second
    one, other = np.triu_indices(f.shape[-1], 1)
    skew = first[..., one] * second[..., other] - first[..., other] * second[..., one]
    return np.concatenate([first - second, skew], axis=-1)


def chance(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probabilities (N, R) from features (N, R, D) and weights (R, D)."""
    return 1 / (1 + np.exp(-(x * weights).sum(-1)))


def fit(
    settings: Settings,
    c: float | str,
    x: torch.Tensor,
    evidence: Evidence,
    plain: torch.Tensor,
    heads: list[PlainHeads],
) -> tuple[torch.Tensor, np.ndarray]:
    """Weights (R, D) and the coefficients (R,) that were used."""
    if c != "fitted":
        m = float(evidence.references.independent[0])
        used = m / (m + 1) if c == "shrunk" else float(c)
        weights = LinearProblems(vrpo(c), x, evidence, settings.l2).solve(plain, 1e-7)
        return weights, np.full(len(weights), used)
    used = np.array(
        [
            fit_coefficient(
                as_problem(x[:, r], only(evidence, r), vrpo("fitted")), settings.row_folds, known
            ).value
            for r, known in enumerate(heads)
        ]
    )
    rows = settings.comparisons
    ends = (
        LinearProblems(Objective(), x[:rows], Evidence(evidence.label), settings.l2),
        LinearProblems(vrpo(1.0), x, evidence, settings.l2),
    )
    live = used > 0  # a coefficient of 0 is the plain loss
    weights = plain.clone()
    if live.any():
        kept = torch.from_numpy(np.flatnonzero(live))
        share = torch.from_numpy(used[live])
        weights[kept] = solve_between(*(end.part(kept) for end in ends), share, plain[kept], 1e-7)
    return weights, used


def only(evidence: Evidence, r: int) -> Evidence:
    """The evidence (N,) of one repetition."""
    references = evidence.references
    one = type(references)(
        references.auxiliary[:, r], references.sets, references.of, references.independent
    )
    return Evidence(evidence.label[:, r], evidence.auxiliary[:, r], one)


def as_problem(x: torch.Tensor, evidence: Evidence, objective: Objective) -> Problem:
    """The problem as surefoot's linear heads have it; `fit_coefficient` chooses its own ridge."""
    rows = len(evidence.label)
    return Problem(
        features=torch.stack([x, torch.zeros_like(x)], dim=1),
        objective=objective,
        evidence=evidence,
        mass=torch.ones(rows, 1, dtype=torch.float64),
        l2=torch.ones(1, dtype=torch.float64),
        seeds=(0,),
    )


# Results


def kept(cells: Cells, truth: str, auxiliary: str, m: int) -> Estimate:
    """Share of a true model's gain that another one keeps, both with `fitted`."""

    def gain(cell: Cell) -> list[np.ndarray]:
        return [p - e for p, e in zip(cell.plain, cell.errors, strict=True)]

    return ratio(*(gain(cells[truth, a, m, "fitted"]) for a in (auxiliary, "true")))


def figures(settings: Settings, biases: list[dict[str, Any]], cells: Cells) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    m = settings.learned_pairs
    safe = {t: cells[t, "useless", m, "fitted"].ratio for t in settings.truths}
    return {
        "schema_version": 1,
        "bias": biases,
        "errors": [
            {"truth": t, "auxiliary": a, "pairs": pairs, "coefficient": c, **cell.to_dict()}
            for (t, a, pairs, c), cell in cells.items()
        ],
        "kept": {
            t: {a: kept(cells, t, a, m).to_dict() for a in ("noisy", "learned")}
            for t in (*settings.truths, *settings.elsewhere)
            if t != "Bradley-Terry"
        },
        "targets": {
            "ratio with a true model, intransitive, M = 8, at most 0.6": cells[
                "intransitive", "true", m, "fitted"
            ].ratio.to_dict(),
            "upper end with a useless model, M = 8, at most 1.05": {
                t: found.to_dict() for t, found in safe.items()
            },
        },
    }


def markdown(settings: Settings, biases: list[dict[str, Any]], cells: Cells) -> str:
    """The tables."""
    lines = [
        "Largest error of an entry of the expected gradient, by exact enumeration, over "
        f"{settings.bias.worlds} worlds of each truth. The columns say who wrote the compared "
        "responses, and the coefficient.",
        "",
    ]
    columns = [name for name in biases[0] if name not in ("loss", "auxiliary")]
    heads = [f"responses of the {c}" if c.startswith("ref") else f"of {c}" for c in columns]
    lines += [
        f"| loss | auxiliary model | {' | '.join(heads)} |",
        "|---|---|" + "---|" * len(heads),
    ]
    for row in biases:
        values = " | ".join(f"{row[c]:.0e}" for c in columns)
        lines.append(f"| {row['loss']} | {row['auxiliary']} | {values} |")
    m = settings.learned_pairs
    for truth in (*settings.truths, *settings.elsewhere):
        chosen = {k: cell for k, cell in cells.items() if k[0] == truth}
        first = next(iter(chosen.values()))
        error = mean([p.mean() for p in first.plain], covers=COVERS)
        lines += [
            "",
            f"{truth}: mean squared error over the plain loss's (which is {error:.4f}), "
            f"{settings.comparisons} comparisons, {settings.worlds} worlds; intervals cover worlds "
            "and draws.",
            "",
            "| auxiliary model | M | repetitions | c = 1 | shrunk | fitted | fitted c (share 0) |",
            "|---|---|---|---|---|---|---|",
        ]
        for auxiliary, pairs in dict.fromkeys((k[1], k[2]) for k in chosen):
            found = [chosen[truth, auxiliary, pairs, str(c)] for c in COEFFICIENTS]
            used = np.concatenate(found[-1].coefficients)
            ratios = " | ".join(written(cell.ratio) for cell in found)
            lines.append(
                f"| {auxiliary} | {pairs} | {len(used):,} | {ratios} | {used.mean():.2f} "
                f"({(used == 0).mean():.0%}) |"
            )
    lines += ["", f"Share of the true model's gain that others keep, fitted, M = {m}.", ""]
    lines += ["| truth | noisy | learned |", "|---|---|---|"]
    for truth in (*settings.truths, *settings.elsewhere):
        if truth != "Bradley-Terry":
            shares = " | ".join(str(kept(cells, truth, a, m)) for a in ("noisy", "learned"))
            lines.append(f"| {truth} | {shares} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--output", type=Path, default=Path("experiments/results"))
    arguments = parser.parse_args()
    settings = Settings(**yaml.safe_load(arguments.config.read_text()))
    biases, cells = bias(settings), errors(settings)
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = arguments.config.stem
    content = {"settings": settings.model_dump(mode="json"), **figures(settings, biases, cells)}
    (arguments.output / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    table = markdown(settings, biases, cells)
    (arguments.output / f"{name}.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
