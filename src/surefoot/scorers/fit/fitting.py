"""Fits on frozen embeddings that differ in their seed and their rows: S of them as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from surefoot.data.splits import folds
from surefoot.scorers.embeddings.encoder import Encoder
from surefoot.scorers.embeddings.features import Embedded, FeatureMap
from surefoot.scorers.fit.coefficient import (
    Coefficient,
    fit_coefficient,
    is_fitted,
    with_coefficient,
)
from surefoot.scorers.fit.conflict import SourceConflict, source_conflict
from surefoot.scorers.fit.cross_validation import cross_validate
from surefoot.scorers.fit.report import FitReport, out_of_fold_accuracy, worst_case
from surefoot.scorers.fit.task import Task
from surefoot.scorers.head import Fit, Head, Parameters, Problem, margins_of
from surefoot.scorers.solvers.linear import LinearSolver
from surefoot.scorers.temperature import fit_temperature
from surefoot.statistics.dependence import Floats, Ints


@dataclass(frozen=True)
class FittedHead:
    """A fitted head with what makes its rewards and probabilities."""

    features: FeatureMap  #: from embeddings to features
    parameters: Parameters  #: of the head with its M members
    mean: Tensor  #: (M,) of the members' rewards on the training data
    std: Tensor  #: (M,) of the members' rewards on the training data
    temperature: float  #: from differences of standardised rewards to logits
    report: FitReport  #: what the fit has to say


def fit_seeds(
    task: Task, encoder: Encoder, seeds: Sequence[int], mass: Floats | None = None
) -> list[FittedHead]:
    """Fit once for each of S seeds. Each fit is what it would be alone.

    The folds of all seeds at all penalties are one batch, the members of all seeds another. Seeds
    are for what is random in a fit (folds, members' draws, an MLP's start). Beside the column
    `weight`, `mass` is the weight (N, S) of each row in each fit.

    Raises:
        DataError: there is nothing to learn from.
    """
    if is_fitted(task.objective):
        return [_with_its_coefficient(task, encoder, k, seeds, mass) for k in range(len(seeds))]
    scorer, preferences = task.scorer, task.preferences
    problem, features, embedded = task.problem(encoder, seeds, mass)
    prompts = preferences.prompt_keys()
    validations = cross_validate(scorer.head, problem, _folds(task, scorer.folds, seeds))
    conflicts = _conflicts(task, problem, seeds)
    penalties = torch.tensor([found.l2 for found in validations], dtype=torch.float64)
    final = _members(replace(problem, l2=penalties), scorer.members, prompts)
    fitted = scorer.head.fit(final)

    def one(k: int) -> FittedHead:
        members = torch.arange(k * scorer.members, (k + 1) * scorer.members)
        problem_of_seed, ended, live = final.part(members), fitted.part(members), problem.mass[:, k]
        validation, conflict = validations[k], conflicts[k]
        raw = problem.scores(scorer.head, ended.parameters)[: len(live)].double()
        mean, std = _scale(raw[live > 0])
        unit = float(std.mean())
        margins = validation.margins.double().numpy() / unit
        flip_rate = task.objective.known_flip_rate
        temperature = fit_temperature(validation.margins, problem.evidence.label, live, flip_rate)
        warnings = (
            *task.notes,
            conflict.warning() if conflict else "",
            _left_out(embedded, encoder),
            ended.note if ended.note.startswith("Not solved") else "",
            _nothing_learnt(problem_of_seed, ((raw - mean) / std).mean(-1)),
            temperature.note,
        )
        report = FitReport(
            warnings=tuple(filter(None, warnings)),
            optimum=ended.note,
            gap=float(ended.gaps.max()),
            l2=validation.l2,
            l2_curve=validation.curve,
            out_of_fold_margins=margins,
            out_of_fold_accuracy=out_of_fold_accuracy(margins, preferences.labels, prompts),
            conflict=conflict,
            truncated=embedded.truncated,
            identical=int(embedded.identical.sum()),
            risk=worst_case(problem_of_seed, ended, scorer.head),
            units=task.names,
            input_gradient=_input_gradient(problem_of_seed, ended, scorer.head),
        )
        return FittedHead(features, ended.parameters, mean, std, temperature.value / unit, report)

    return [one(k) for k in range(len(seeds))]


def coefficient_of(
    task: Task, encoder: Encoder, seed: int = 0, mass: Floats | None = None
) -> Coefficient:
    """The coefficient of a control variate that is to be fitted, for rows of mass (N, 1)."""
    problem, _, _ = task.problem(encoder, [seed], mass)
    return fit_coefficient(problem, _folds(task, task.scorer.folds, [seed])[:, 0])


def _with_its_coefficient(
    task: Task, encoder: Encoder, k: int, seeds: Sequence[int], mass: Floats | None
) -> FittedHead:
    """The fit of one seed, whose coefficient is fitted first."""
    own = None if mass is None else mass[:, k : k + 1]
    found = coefficient_of(task, encoder, seeds[k], own)
    fixed = replace(task, objective=with_coefficient(task.objective, found.value))
    (fitted,) = fit_seeds(fixed, encoder, seeds[k : k + 1], own)
    return replace(fitted, report=replace(fitted.report, coefficient=found))


def _folds(task: Task, count: int, seeds: Sequence[int]) -> Tensor:
    """Fold (N, S) of each row by each seed."""
    drawn = [folds(task.preferences, count, task.scorer.fold_by, seed) for seed in seeds]
    return torch.from_numpy(np.stack(drawn, axis=1))


def _conflicts(
    task: Task, problem: Problem, seeds: Sequence[int]
) -> Sequence[SourceConflict | None]:
    """What sources are to each other, by each seed; None where they are not pooled."""
    preferences = task.preferences
    if task.scorer.source_aware or not preferences.has("source"):
        return [None] * len(seeds)
    sources, prompts = preferences.strings("source"), preferences.prompt_keys()
    return source_conflict(problem.plain(), sources, _folds(task, 2, seeds), prompts)


def _members(problem: Problem, count: int, prompts: Ints) -> Problem:
    """The final fits (N, S * M): on all rows, or M for each seed on their own draws of prompts."""
    seeds = tuple(seed + 1000 * k for seed in problem.seeds for k in range(count))
    mass = problem.mass.repeat_interleave(count, dim=1)
    if count > 1:
        for k, seed in enumerate(seeds):  # of the prompts that have a weight in this fit
            live = torch.nonzero(mass[:, k]).squeeze(1)
            mass[live, k] *= torch.from_numpy(prompt_bootstrap(prompts[live], [seed])[:, 0])
    return replace(problem, mass=mass, l2=problem.l2.repeat_interleave(count), seeds=seeds)


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


def _left_out(embedded: Embedded, encoder: Encoder) -> str:
    """A sentence where rows carry no information."""
    same = int(embedded.identical.sum())
    if not same:
        return ""
    return (
        f"{same} pair(s) have responses that are the same to the encoder, as they are or "
        f"after truncation at {encoder.limit} tokens: they were left out."
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
