"""Fits on frozen embeddings that differ in their seed and their rows: S of them as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.data.schema import Preferences
from surefoot.data.splits import folds
from surefoot.data.units import unit_ids
from surefoot.errors import CompositionError, DataError
from surefoot.objectives import Facts, Objective, Units, enforce
from surefoot.scorers.bootstrap import prompt_bootstrap
from surefoot.scorers.conflict import SourceConflict, source_conflict
from surefoot.scorers.cross_validation import cross_validate, fit_temperature
from surefoot.scorers.encoder import Encoder
from surefoot.scorers.evidence import evidence_of, facts_of
from surefoot.scorers.features import Embedded, FeatureMap, embed
from surefoot.scorers.fit_report import FitReport, out_of_fold_accuracy, worst_case
from surefoot.scorers.head import Fit, Parameters, Problem
from surefoot.scorers.scorer import EmbeddingScorer

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """A scorer, an objective and comparisons that go together.

    Attributes:
        scorer, objective, preferences: these.
        units: the unit of each row, where the risk has any.
        names: the names of the units.
        notes: what the validator has to say.
    """

    scorer: EmbeddingScorer
    objective: Objective
    preferences: Preferences
    units: Units | None
    names: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, scorer: EmbeddingScorer, objective: Objective, preferences: Preferences) -> Task:
        """Check that they go together.

        Raises:
            CompositionError: they do not.
            DataError: the risk's unit is not in the data.
        """
        units, names = _units(objective, preferences)
        notes = enforce(objective, _facts(scorer, preferences, units))
        return cls(scorer, objective, preferences, units, names, tuple(notes))


@dataclass(frozen=True)
class Fitted:
    """What one fit leaves.

    Attributes:
        features: from embeddings to features.
        parameters: of the head with its M members.
        mean, std: (M,) of the members' rewards on the training data.
        temperature: from differences of standardised rewards to logits.
        report: what the fit has to say.
    """

    features: FeatureMap
    parameters: Parameters
    mean: Tensor
    std: Tensor
    temperature: float
    report: FitReport


def fit_seeds(
    task: Task, encoder: Encoder, seeds: Sequence[int], mass: Array | None = None
) -> list[Fitted]:
    """Fit once for each of S seeds. Each fit is what it would be alone.

    The folds of all seeds at all penalties are one batch, the members of all seeds another.

    Args:
        task: what to fit.
        encoder: reads the texts, once.
        seeds: S of them, for what is random in a fit (folds, members' draws, an MLP's start).
        mass: (N, S) weight of each row in each fit (times the column `weight`); default: 1.

    Raises:
        DataError: there is nothing to learn from.
    """
    scorer, preferences = task.scorer, task.preferences
    embedded = embed(preferences, encoder, scorer.views)
    features = FeatureMap.fit(embedded, scorer.source_aware)
    problem = Problem(
        features=features(embedded),
        objective=task.objective,
        evidence=evidence_of(preferences),
        mass=_live(preferences, embedded, np.ones((1, len(seeds))) if mass is None else mass),
        l2=torch.ones(len(seeds), dtype=torch.float64),
        seeds=tuple(seeds),
        units=task.units,
    )
    prompts = preferences.prompt_keys()
    validations = cross_validate(scorer.head, problem, _folds(preferences, scorer.folds, seeds))
    conflicts: Sequence[SourceConflict | None] = [None] * len(seeds)
    if not scorer.source_aware and preferences.has("source"):
        plain = replace(problem, objective=Objective(), units=None)
        halves = _folds(preferences, 2, seeds)
        conflicts = source_conflict(plain, embedded.sources, halves, prompts)
    penalties = torch.tensor([found.l2 for found in validations], dtype=torch.float64)
    final = _members(replace(problem, l2=penalties), scorer.members, prompts)
    fitted = scorer.head.fit(final)

    def one(k: int) -> Fitted:
        """The fit of one seed."""
        members = torch.arange(k * scorer.members, (k + 1) * scorer.members)
        own, ended, live = final.part(members), fitted.part(members), problem.mass[:, k]
        validation, conflict = validations[k], conflicts[k]
        raw = scorer.head.rewards(ended.parameters, problem.features).double()
        mean, std = _scale(raw[live > 0])
        unit = float(std.mean())
        margins = validation.margins.double().numpy() / unit
        temperature = fit_temperature(
            validation.margins,
            problem.evidence.label,
            live,
            flip_rate=task.objective.labels.known_flip_rate,
        )
        report = FitReport(
            warnings=(
                *task.notes,
                *([conflict.warning()] if conflict and conflict.opposed else []),
                *_left_out(embedded, encoder),
                *_disappointments(ended, ((raw - mean) / std).mean(-1)),
            ),
            optimum=ended.note,
            gap=float(ended.gaps.max()),
            l2=validation.l2,
            l2_curve=validation.curve,
            out_of_fold_margins=margins,
            out_of_fold_accuracy=out_of_fold_accuracy(margins, preferences.labels, prompts),
            conflict=conflict,
            truncated=embedded.truncated,
            identical=int(embedded.identical.sum()),
            risk=worst_case(own, ended, scorer.head),
            units=task.names,
        )
        return Fitted(features, ended.parameters, mean, std, temperature / unit, report)

    return [one(k) for k in range(len(seeds))]


def _live(preferences: Preferences, embedded: Embedded, mass: Array) -> Tensor:
    """Mass (N, S) of the rows that carry information, from mass that broadcasts to it."""
    # Pairs that look the same carry none; they would only dilute the mean.
    live = torch.from_numpy(preferences.weights[:, None] * mass) * ~embedded.identical[:, None]
    if not bool((live > 0).any(0).all()):
        raise DataError(
            f"{preferences.name}: no pair is left to learn from (all responses of a pair are "
            "the same to the encoder, or all weights are 0)."
        )
    return live


def _folds(preferences: Preferences, count: int, seeds: Sequence[int]) -> Tensor:
    """Fold (N, S) of each row by each seed."""
    drawn = [folds(preferences, count, by="prompt", seed=seed) for seed in seeds]
    return torch.from_numpy(np.stack(drawn, axis=1))


def _members(problem: Problem, count: int, prompts: npt.NDArray[np.int64]) -> Problem:
    """The final fits (N, S * M): on all rows, or M for each seed on their own draws of prompts."""
    seeds = tuple(seed + 1000 * k for seed in problem.seeds for k in range(count))
    mass = problem.mass.repeat_interleave(count, dim=1)
    if count > 1:
        mass = mass * torch.from_numpy(prompt_bootstrap(prompts, seeds))
    return replace(problem, mass=mass, l2=problem.l2.repeat_interleave(count), seeds=seeds)


def _scale(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (M,) that standardise the members' rewards (n, 2, M)."""
    mean = raw.flatten(0, 1).mean(0)
    std = raw.flatten(0, 1).std(0).clamp_min(1e-12)
    # Members that disagree average out: scale them so that their mean has deviation 1.
    return mean, std * ((raw - mean) / std).mean(-1).std().clamp_min(1e-12)


def _left_out(embedded: Embedded, encoder: Encoder) -> list[str]:
    """A sentence where rows carry no information."""
    same = int(embedded.identical.sum())
    told = (
        f"{same} pair(s) have responses that are the same to the encoder, as they are or "
        f"after truncation at {encoder.limit} tokens: they were left out."
    )
    return [told] if same else []


def _disappointments(ended: Fit, rewards: Tensor) -> list[str]:
    """What went wrong in a fit, from its rewards (N, 2)."""
    found = [ended.note] if ended.note.startswith("Not solved") else []
    if bool((rewards == 0).all()):
        found.append(
            "Nothing was learnt: every response gets the same reward. The objective's best "
            "head is zero; try a weaker risk or another objective."
        )
    return found


def _units(objective: Objective, preferences: Preferences) -> tuple[Units | None, tuple[str, ...]]:
    unit = objective.risk.unit
    if unit == "pair":
        return None, ()
    ids, names = unit_ids(preferences, unit)
    return Units(torch.from_numpy(ids), len(names)), tuple(names)


def _facts(scorer: EmbeddingScorer, preferences: Preferences, units: Units | None) -> Facts:
    head = scorer.head
    if head.linear and set(scorer.views) <= {"prompt"}:
        raise CompositionError(
            "refused: a linear head on the view 'prompt' alone cannot tell two responses "
            "apart. Add 'response', 'product' or 'together'."
        )
    return facts_of(
        preferences,
        units,
        scores="rewards",
        l2=None if head.l2 == "auto" or not head.linear else float(head.l2),
        linear=head.linear,
        frozen=True,
    )
