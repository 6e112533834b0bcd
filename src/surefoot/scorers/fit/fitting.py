"""Fits on frozen embeddings that differ in their seed and their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from surefoot.arrays import Floats, Ints
from surefoot.data.splits import folds
from surefoot.scorers.embeddings.encoder import Encoder
from surefoot.scorers.embeddings.features import Embedded, FeatureMap
from surefoot.scorers.fit.coefficient import (
    Coefficient,
    fit_coefficient,
    is_fitted,
    with_coefficient,
)
from surefoot.scorers.fit.conflict import source_conflict
from surefoot.scorers.fit.report import FitReport, out_of_fold_accuracy, worst_case
from surefoot.scorers.fit.task import Task
from surefoot.scorers.head import Fit, Head, Parameters, Problem, cross_validate, margins_of
from surefoot.scorers.solvers.linear import LinearSolver
from surefoot.scorers.temperature import fit_temperature


@dataclass(frozen=True)
class FittedHead:
    """A fitted head with what makes its rewards and probabilities."""

    features: FeatureMap  #: from embeddings to features
    parameters: Parameters  #: of the head with its M members
    mean: Tensor  #: (M,) of the members' rewards on the training data
    std: Tensor  #: (M,) of the members' rewards on the training data
    temperature: float  #: from differences of standardised rewards to logits
    report: FitReport  #: what the fit has to say


def fit_head(
    task: Task, problem: Problem, features: FeatureMap, embedded: Embedded, limit: int
) -> FittedHead:
    """Fit once: the folds at all penalties are one batch, the members another.

    The problem is one of the task's fits, on features of what an encoder saw, which reads texts up
    to a limit. Its seed is for what is random: folds, members' draws, an MLP's start.

    Raises:
        DataError: all rows that have a weight share a fold.
    """
    head, members = task.scorer.head, task.scorer.members
    seed, live, prompts = problem.seeds[0], problem.mass[:, 0], task.preferences.prompt_keys()
    own_folds, coefficient = _folds(task, task.scorer.folds, seed), None
    if is_fitted(task.objective):
        coefficient = fit_coefficient(problem, own_folds)
        fixed = with_coefficient(task.objective, coefficient.value)
        problem = replace(problem, objective=fixed)
    validation = cross_validate(head, problem, own_folds)
    conflict = None
    if not task.scorer.source_aware and task.preferences.has("source"):
        half = _folds(task, 2, seed)
        conflict = source_conflict(problem.plain(), embedded.sources, half, prompts)
    final = _members(problem, members, prompts, validation.l2)
    fitted = head.fit(final)
    raw = problem.scores(head, fitted.parameters)[: len(live)].double()
    mean, std = _scale(raw[live > 0])
    unit = float(std.mean())
    margins = validation.margins.double().numpy() / unit
    flip_rate = task.objective.known_flip_rate
    temperature = fit_temperature(validation.margins, problem.evidence.label, live, flip_rate)
    warnings = (
        *task.notes,
        conflict.warning() if conflict else "",
        _left_out(embedded, limit),
        fitted.note if fitted.note.startswith("Not solved") else "",
        _nothing_learnt(final, ((raw - mean) / std).mean(-1)),
        temperature.note,
    )
    report = FitReport(
        warnings=tuple(filter(None, warnings)),
        optimum=fitted.note,
        gap=float(fitted.gaps.max()),
        l2=validation.l2,
        l2_curve=validation.curve,
        out_of_fold_margins=margins,
        out_of_fold_accuracy=out_of_fold_accuracy(margins, task.preferences.labels, prompts),
        conflict=conflict,
        truncated=embedded.truncated,
        identical=int(embedded.identical.sum()),
        risk=worst_case(final, fitted, head),
        units=task.names,
        coefficient=coefficient,
        input_gradient=_input_gradient(final, fitted, head),
    )
    return FittedHead(features, fitted.parameters, mean, std, temperature.value / unit, report)


def coefficient_of(task: Task, encoder: Encoder, seed: int) -> Coefficient:
    """The coefficient of a control variate that is to be fitted."""
    problem, _, _ = task.problem(encoder, [seed])
    return fit_coefficient(problem, _folds(task, task.scorer.folds, seed))


def _folds(task: Task, count: int, seed: int) -> Tensor:
    """Fold (N,) of each row."""
    return torch.from_numpy(folds(task.preferences, count, task.scorer.fold_by, seed))


def _members(problem: Problem, count: int, prompts: Ints, l2: float) -> Problem:
    """The final fits (N, M) at this penalty: on all rows, or M on their own draws of prompts."""
    seeds = tuple(problem.seeds[0] + 1000 * k for k in range(count))
    mass = problem.mass.repeat(1, count)
    if count > 1:  # of the prompts that have a weight in this fit
        live = problem.mass[:, 0] > 0
        mass[live] *= torch.from_numpy(prompt_bootstrap(prompts[live.numpy()], seeds))
    ridge = torch.full((count,), l2, dtype=torch.float64)
    return replace(problem, mass=mass, l2=ridge, seeds=seeds)


def prompt_bootstrap(prompts: Ints, seeds: Sequence[int]) -> Floats:
    """Counts (N, K): how often the prompt of each row is drawn, with replacement, by each seed.

    Rows of one prompt, whose keys are `prompts` (N,), are drawn together.
    """
    _, index = np.unique(prompts, return_inverse=True)
    count = int(index.max()) + 1
    shares = np.full(count, 1 / count)
    draws = [np.random.default_rng(seed).multinomial(count, shares)[index] for seed in seeds]
    return np.stack(draws, axis=1).astype(np.float64)


def _scale(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (M,) that standardise the members' rewards (n, 2, M)."""
    mean = raw.flatten(0, 1).mean(0)
    std = raw.flatten(0, 1).std(0).clamp_min(1e-12)
    # Members that disagree average out: scale them so that their mean has deviation 1.
    return mean, std * ((raw - mean) / std).mean(-1).std().clamp_min(1e-12)


def _left_out(embedded: Embedded, limit: int) -> str:
    """A sentence where rows carry no information."""
    same = int(embedded.identical.sum())
    if not same:
        return ""
    return (
        f"{same} pair(s) have responses that are the same to the encoder, as they are or "
        f"after truncation at {limit} tokens: they were left out."
    )


def _nothing_learnt(problem: Problem, rewards: Tensor) -> str:
    """A sentence where all rewards (N, 2) are zero; what to do, under a Wasserstein ball too."""
    if bool((rewards != 0).any()):
        return ""
    nothing = "Nothing was learnt: every response gets the same reward."
    ball = problem.objective.wasserstein
    if ball is None or bool((problem.evidence.label == 0.5).all()):
        return (
            f"{nothing} The objective's best head is zero; try a weaker risk or another objective."
        )
    most = float(LinearSolver(problem, certify=False).largest_radius().min())
    return (
        f"{nothing} From a radius of {most:.3g} on (the length of the mean difference between "
        "preferred and other features) the head of zeros is a local optimum, and the radius is "
        f"{ball.radius:g}: take a part of that."
    )


def _input_gradient(problem: Problem, ended: Fit, head: Head) -> float | None:
    """Root mean square of |grad loss| in the differences of features; None without a ball."""
    if problem.objective.wasserstein is None:
        return None
    margins = margins_of(problem.scores(head, ended.parameters)).double()
    squares = problem.squared_slopes(margins) * ended.parameters["weight"].square().sum(0)
    return float((problem.risk(margins).weights * squares).sum(0).sqrt().mean())
