"""VRPO's label model in tabular worlds: its bias by enumeration, the error of its parameters."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from experiments.common.tabular import as_problem, chance, pair_features, solve_between
from experiments.common.work import Work
from experiments.control_variate import shared as with_shared_references
from experiments.control_variate.settings import Settings
from experiments.control_variate.tables import COEFFICIENTS, Cell, Cells, figures, markdown
from surefoot.objectives import Evidence, Objective
from surefoot.objectives.label_models.control_variate import ControlVariate
from surefoot.scorers.fit.coefficient import PlainHeads, fit_coefficient, plain_heads
from surefoot.worlds import TabularPairs, TabularWorld
from surefoot.worlds.linear_fits import LinearProblems
from surefoot.worlds.tabular import tilted
from surefoot.worlds.tabular_truth import noisy, useless

__all__ = ["Settings", "experiment", "markdown"]


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
                as_problem(x[:, r], evidence.column(r), vrpo("fitted")), settings.row_folds, known
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


def experiment(settings: Settings, _: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    found = figures(settings, bias(settings), errors(settings))
    shared = with_shared_references.run(
        settings.shared, settings.noise, settings.folds, settings.l2
    )
    return found | {"shared_references": with_shared_references.figures(shared)}
