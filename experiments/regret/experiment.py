"""Regret of the policy by number of comparisons, in tabular worlds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from experiments.common.work import Work
from experiments.regret.rewards import Draw, Method, Settings, features_of, one_hot
from experiments.regret.tables import Choice, Table, figures, markdown
from surefoot.objectives import Objective
from surefoot.objectives.risks.soft_minimum import SoftMinimum
from surefoot.scorers.fit.coefficient import is_fitted
from surefoot.worlds import TabularTruth, TabularWorld
from surefoot.worlds.linear_fits import LinearProblems
from surefoot.worlds.tabular import tilted

__all__ = ["Settings", "experiment", "markdown"]

CLASSES = ("log-linear", "every policy")
#: Ridge of fits to the expected loss, where prompts' offsets leave the minimum open.
TINY = 1e-7


def best_in_class(world: TabularWorld, features: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Log-linear policy of the largest E[logits] - KL from the reference, by natural gradients.

    With F the policy's covariance of features, the best weights are F^-1 Cov(features, logits):
    each step goes half the way there.

    Args:
        world: of the reference and the prompts.
        features: (X, A, D).
        logits: (..., X, A) rewards divided by beta.
    """
    weights = np.zeros((*logits.shape[:-2], features.shape[-1]))
    p = world.prompts[:, None]
    for _ in range(100):
        policy = p * tilted(world.reference, np.einsum("xad,...d->...xa", features, weights))
        share = policy / p
        centred = features - np.einsum("...xa,xad->...xd", share, features)[..., None, :]
        fisher = np.einsum("...xa,...xad,...xae->...de", policy, centred, centred)
        towards = np.einsum("...xa,...xad,...xa->...d", policy, centred, logits)
        # Directions that no response differs in, such as a prompt's offset, get no weight.
        weights = (weights + np.einsum("...de,...e->...d", np.linalg.pinv(fisher), towards)) / 2
    return tilted(world.reference, np.einsum("xad,...d->...xa", features, weights))


def regrets(draw: Draw, method: Method, policies: str, ridge: float, strengths: Iterable[float]):
    """Regret (S, R) of a method's policies, by strength."""
    rewards = draw.rewards(method, ridge)
    return np.array([_regret(draw.world, draw, method, policies, s * rewards) for s in strengths])


def _regret(
    world: TabularWorld, draw: Draw, method: Method, policies: str, logits: np.ndarray
) -> list[float]:
    if method.two_stages and policies == "log-linear":
        found = best_in_class(world, draw.features, logits)
    else:
        found = tilted(world.reference, logits)
    return [world.regret(policy, draw.settings.beta) for policy in found]


def draws(settings: Settings, truth: TabularTruth, policies: str, n: int, seeds: range, count: int):
    """The data of each world."""
    for seed in seeds:
        world = truth.world(seed)
        data = world.draw(n, settings.pairs, seed=[seed, n], repetitions=count)
        yield Draw(world, features_of(world, policies), data, settings)


def tune(settings: Settings, truth: TabularTruth, policies: str) -> dict[str, Choice]:
    """Each method's strength and ridge of the least geometric mean, over n, of its regret."""
    tuning = settings.tuning
    seeds = range(tuning.first_world, tuning.first_world + tuning.worlds)
    logs: dict[str, np.ndarray] = {}
    for n in settings.comparisons:
        sums: dict[str, np.ndarray] = {}
        for draw in draws(settings, truth, policies, n, seeds, tuning.repetitions):
            for name, method in settings.methods.items():
                found = [
                    regrets(draw, method, policies, ridge, tuning.strengths).mean(1)
                    for ridge in tuning.ridges
                ]
                sums[name] = sums.get(name, 0) + np.array(found)
        for name, total in sums.items():
            logs[name] = logs.get(name, 0) + np.log(total)
    chosen = {}
    for name, values in logs.items():
        ridge, strength = np.unravel_index(values.argmin(), values.shape)
        chosen[name] = Choice(tuning.strengths[strength], tuning.ridges[ridge])
    return chosen


def limit(settings: Settings, world: TabularWorld, method: Method, policies: str, strength: float):
    """Regret with endless data: of the minimum of the expected plain loss; nan where it has none.

    A soft minimum with temperature 1 of the logistic loss is -log E sigma(m): the larger the better
    for every margin on its right side, so that its best margins are infinite.
    """
    objective = method.parsed()
    if isinstance(objective.risk, SoftMinimum):
        return np.nan
    plain = Objective(loss=objective.loss)
    pairs = world.enumerated()
    features = one_hot(world) if method.two_stages else features_of(world, policies)
    problem = LinearProblems(
        plain,
        pairs.differences(features)[:, None],
        pairs.evidence().as_columns(),
        TINY,
        torch.from_numpy(pairs.mass)[:, None],
    )
    rewards = np.einsum("xad,rd->rxa", features, problem.solve(tolerance=1e-8).numpy())
    draw = Draw(world, features_of(world, policies), pairs, settings)
    return _regret(world, draw, method, policies, strength * rewards)[0]


def run(settings: Settings) -> dict[tuple[str, str], Table]:
    """Every table: (truth, class of policies)."""
    tables = {}
    seeds = range(settings.first_world, settings.first_world + settings.worlds)
    for truth_name, truth in settings.truths.items():
        for policies in CLASSES:
            started = time.time()
            table = Table(tune(settings, truth, policies), {}, {}, [], {})
            for n in settings.comparisons:
                for draw in draws(settings, truth, policies, n, seeds, settings.repetitions):
                    for name, method in settings.methods.items():
                        choice = table.choices[name]
                        found = regrets(draw, method, policies, choice.ridge, [choice.strength])
                        table.regrets.setdefault((name, n), []).append(found[0])
                        if is_fitted(method.parsed()):
                            used = table.coefficients.setdefault((name, n), [])
                            used += draw.coefficients(method)
            for seed in seeds:
                world = truth.world(seed)
                logits = world.win_rates / settings.beta
                best = best_in_class(world, features_of(world, policies), logits)
                table.best.append(world.regret(best, settings.beta))
                for name, method in settings.methods.items():
                    found = limit(settings, world, method, policies, table.choices[name].strength)
                    table.limits.setdefault(name, []).append(found)
            tables[truth_name, policies] = table
            print(f"{truth_name}, {policies}: {time.time() - started:.0f} s", flush=True)
    return tables


def experiment(settings: Settings, _: Work) -> dict[str, Any]:
    """Every figure, JSON-ready."""
    return figures(settings, run(settings))
