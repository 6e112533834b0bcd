"""The settings, and what methods make of drawn data: rewards of every response."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from experiments.common.tabular import as_problem, chance, pair_features
from surefoot.objectives import Evidence, Objective
from surefoot.options import Options
from surefoot.scorers.fit.coefficient import (
    PlainHeads,
    fit_coefficient,
    is_fitted,
    plain_heads,
    with_coefficient,
)
from surefoot.worlds import TabularPairs, TabularTruth, TabularWorld
from surefoot.worlds.linear_fits import LinearProblems
from surefoot.worlds.tabular_truth import useless


class Method(Options):
    """One row of a table."""

    objective: dict[str, Any] = Field({})
    """Options of the objective."""
    auxiliary: Literal["", "true model", "learned", "useless"] = ""
    """The auxiliary preference model of VRPO."""
    two_stages: bool = False
    """Rewards of every response first, by maximum likelihood, then the class's best policy."""

    def parsed(self) -> Objective:
        """The objective."""
        return Objective(**self.objective)


class Tuning(Options):
    """The sweep."""

    first_world: int
    worlds: int = Field(ge=1)
    repetitions: int = Field(ge=1)
    strengths: tuple[float, ...]
    ridges: tuple[float, ...]


class Settings(Options):
    """The experiment."""

    first_world: int = 0
    worlds: int = Field(20, ge=10)
    repetitions: int = Field(4, ge=1)
    comparisons: tuple[int, ...]
    pairs: int = Field(8, ge=1)
    beta: float = Field(0.1, gt=0)
    folds: int = Field(5, ge=2)
    auxiliary_ridge: float = Field(4.0, gt=0)
    truths: dict[str, TabularTruth]
    methods: dict[str, Method]
    tuning: Tuning


@dataclass(frozen=True)
class Draw:
    """Data of one world, R times, and what several methods need of it.

    Attributes:
        world: the world.
        features: (X, A, D) of the class of policies.
        data: (N, R) comparisons.
        settings: of the experiment.
        known: what was computed before.
    """

    world: TabularWorld
    features: np.ndarray
    data: TabularPairs
    settings: Settings
    known: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    @property
    def rows(self) -> int:
        """N."""
        return len(self.data.prompts)

    @cached_property
    def differences(self) -> torch.Tensor:
        """(N + P, R, D)."""
        return self.data.differences(self.features)

    @cached_property
    def folds(self) -> torch.Tensor:
        """(N,) fold of each row."""
        return torch.arange(self.rows) % self.settings.folds

    def evidence(self, auxiliary: str) -> Evidence:
        """(N, R) by an auxiliary model."""
        g = self.world.preference
        tables = {"true model": g, "useless": useless(g)}
        return self.learned if auxiliary == "learned" else self.data.evidence(tables.get(auxiliary))

    @cached_property
    def learned(self) -> Evidence:
        """By a cross-fitted general preference model, with an effect of each response."""
        table = np.concatenate(
            [pair_features(self.world.features), pair_features(one_hot(self.world), wedge=False)],
            -1,
        )
        own, of_references = self.data.look_up(table)
        own_g, references_g = np.empty(own.shape[:2]), np.empty(of_references.shape[:2])
        folds = self.folds.numpy()
        for k in range(self.settings.folds):
            inside = torch.from_numpy((folds != k)[:, None] * np.ones(own.shape[1]))
            ridge = self.settings.auxiliary_ridge / self.rows
            problem = LinearProblems(
                Objective(), torch.from_numpy(own), self.data.evidence(), ridge, inside
            )
            weights = problem.solve(tolerance=1e-7).numpy()
            own_g[folds == k] = chance(own[folds == k], weights)
            out = (folds == k).repeat(self.data.pairs)
            references_g[out] = chance(of_references[out], weights)
        return self.data.evidence(own_g, references_g)

    def heads(self, loss: Objective) -> list[PlainHeads]:
        """Of each repetition, for the coefficient, by margin loss."""
        key = (loss.loss.kind,)
        if key not in self.known:
            labels, x = self.data.evidence().label, self.differences[: self.rows]
            self.known[key] = [
                plain_heads(as_problem(x[:, r], Evidence(labels[:, r]), loss), self.folds)
                for r in range(labels.shape[1])
            ]
        return self.known[key]

    def coefficients(self, method: Method) -> list[float]:
        """The fitted coefficient of each repetition."""
        objective = method.parsed()
        key = (objective.loss.kind, method.auxiliary)
        if key not in self.known:
            evidence, x = self.evidence(method.auxiliary), self.differences
            self.known[key] = [
                fit_coefficient(
                    as_problem(x[:, r], evidence.column(r), objective), self.folds, heads
                ).value
                for r, heads in enumerate(self.heads(objective))
            ]
        return self.known[key]

    def weights(self, method: Method, ridge: float) -> np.ndarray:
        """Rewards' weights (R, D) by a method, with its ridge / N."""
        objective, l2 = method.parsed(), ridge / self.rows
        evidence, x = self.evidence(method.auxiliary), self.differences
        if not is_fitted(objective):
            x = x[: self.rows]
            return LinearProblems(objective, x, evidence, l2).solve(tolerance=1e-7).numpy()
        found = []
        for r, c in enumerate(self.coefficients(method)):
            one = LinearProblems(
                with_coefficient(objective, c), x[:, r : r + 1], evidence.column(r).as_columns(), l2
            )
            found.append(one.solve(tolerance=1e-7)[0].numpy())
        return np.stack(found)

    def rewards(self, method: Method, ridge: float) -> np.ndarray:
        """Rewards (R, X, A)."""
        if method.two_stages:
            every = Draw(self.world, one_hot(self.world), self.data, self.settings)
            return every.weights(method, ridge).reshape(-1, *self.world.reference.shape)
        return np.einsum("xad,rd->rxa", self.features, self.weights(method, ridge))


def one_hot(world: TabularWorld) -> np.ndarray:
    """Features (X, A, X A) that tell every response: log-linear policies are then all policies."""
    count = world.reference.size
    return np.eye(count).reshape(*world.reference.shape, count)


def features_of(world: TabularWorld, policies: str) -> np.ndarray:
    """The features of a class of policies."""
    return world.features if policies == "log-linear" else one_hot(world)
