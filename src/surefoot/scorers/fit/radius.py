"""The size of a risk's ball, chosen by leaving groups out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from surefoot.arrays import Floats, Ints
from surefoot.data.schema import Preferences
from surefoot.data.splits import folds
from surefoot.data.units import Unit, unit_ids
from surefoot.errors import ConfigurationError
from surefoot.objectives import Objective
from surefoot.objectives.sized import SizedRisk
from surefoot.scorers.embeddings.encoder import Encoder, load_encoder
from surefoot.scorers.fit.coefficient import is_fitted
from surefoot.scorers.fit.task import Task
from surefoot.scorers.head import cross_validate, margins_of
from surefoot.scorers.scorer import EmbeddingScorer

#: More groups than this are left out several at a time.
_MOST = 20
_FEWEST = 3
#: By how much the mean loss may rise where no option says it.
MEAN_COST = 0.01


@dataclass(frozen=True)
class Tried:
    """One size of the ball."""

    size: float  #: radius or level
    worst: float  #: loss of the held-out group that fares worst
    group: str  #: its name
    mean: float  #: loss of all pairs, each held out once
    allowed: bool  #: whether the mean rose by no more than was allowed


@dataclass(frozen=True)
class RadiusChoice:
    """The size of the ball, and all that were tried."""

    option: str  #: `radius` or `level`
    size: float  #: the one that was chosen
    tried: tuple[Tried, ...]  #: from no robustness on
    unit: str  #: of the groups that were left out
    groups: int  #: how many there are
    cost: float  #: by how much the mean loss was allowed to rise

    def __str__(self) -> str:
        plain = self.tried[0]
        chosen = next(one for one in self.tried if one.size == self.size)
        if chosen is plain:
            return (
                f"{self.option} {self.size:g}, which is no robustness: with each of {self.groups} "
                f"{self.unit}s held out, no other does better on the worst of them by more than a "
                f"standard error at a mean loss that rises by {self.cost:g} at most "
                f"(worst {plain.worst:.3f}, {plain.group!r}; mean {plain.mean:.3f})"
            )
        return (
            f"{self.option} {self.size:g}: with each of {self.groups} {self.unit}s held out, the "
            f"worst loss is {chosen.worst:.3f} ({chosen.group!r}) instead of "
            f"{plain.worst:.3f} ({plain.group!r}), and the mean {chosen.mean:.3f} instead of "
            f"{plain.mean:.3f}"
        )

    @property
    def curve(self) -> str:
        """Loss of the worst held-out group and mean loss of each size, in words."""
        return "; ".join(
            f"{one.size:g}: {one.worst:.3f}, {one.mean:.3f}"
            + ("" if one.allowed else " (too dear)")
            for one in self.tried
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "option": self.option,
            "chosen": self.size,
            "unit": self.unit,
            "groups": self.groups,
            "cost_allowed": self.cost,
            "curve": [vars(one) for one in self.tried],
        }


def with_radius(
    objective: Objective, scorer: EmbeddingScorer, preferences: Preferences, cost: float
) -> tuple[Objective, RadiusChoice | None]:
    """The objective with a number in place of `auto`, and how it was chosen.

    Raises:
        ConfigurationError: there are too few groups.
    """
    if not isinstance(objective.risk, SizedRisk) or not objective.risk.is_auto:
        return objective, None
    task = Task.of(scorer, objective, preferences)
    found = choose_radius(task, load_encoder(scorer.encoder), cost)
    risk = objective.risk.model_copy(update={found.option: found.size})
    return objective.model_copy(update={"risk": risk}), found


def choose_radius(task: Task, encoder: Encoder, cost: float = MEAN_COST) -> RadiusChoice:
    """Choose by the worst of the groups, each of which is held out once.

    Without each group, heads are fitted at every size, at the ridge penalty that folds of what is
    left choose for the plain objective, and judge the group by the task's loss. Of the sizes at
    which the mean loss rises by at most `cost`, the one whose worst group is best sets the mark;
    the least robust size whose worst group is within one standard error of it is taken. The size in
    the task's risk is ignored.

    Raises:
        ConfigurationError: there are too few groups, or losses that are not plain.
    """
    objective, preferences = task.objective, task.preferences
    assert isinstance(objective.risk, SizedRisk)
    _require_plain_losses(objective)
    unit = _unit(objective, preferences)
    groups, names = unit_ids(preferences, unit)
    if len(names) < _FEWEST:
        raise ConfigurationError(
            f"choosing a size leaves out one {unit} after the other, and there are {len(names)}: "
            f"{_FEWEST} are needed. Give a number, or take another unit (`cluster`)."
        )
    option, sizes = objective.risk.size_option, objective.risk.sizes
    fold = torch.from_numpy(_folds(groups, len(names)))
    count, head = int(fold.max()) + 1, task.scorer.head
    kept = (fold[:, None] != torch.arange(count)).double().numpy()  # (N, K)
    problem, _, _ = task.problem(encoder, [0] * count, kept)
    inner = torch.from_numpy(folds(preferences, task.scorer.folds, task.scorer.fold_by, seed=0))
    plain = [problem.plain().part(torch.tensor([k])) for k in range(count)]
    chosen = [cross_validate(head, one, inner).l2 for one in plain]
    problem = replace(problem, l2=torch.tensor(chosen, dtype=torch.float64))

    def held_out(size: float) -> Floats:
        """Loss (N,) of each pair by the head that did not see its group."""
        risk = objective.risk.model_copy(update={option: size})
        sized = replace(problem, objective=objective.model_copy(update={"risk": risk}))
        fitted = head.fit(sized, certify=False)
        if head.linear and float(fitted.gaps.max()) > cost / 10:  # robust heads are harder to solve
            fitted = head.fit(sized)
        losses = sized.losses(margins_of(sized.scores(head, fitted.parameters)))
        return losses.gather(1, fold[:, None])[:, 0].double().numpy()

    losses = np.stack([held_out(size) for size in sizes])  # (R, N)
    live = problem.mass.amax(1).numpy()  # of a row in the fits that see it
    return _choice(option, sizes, losses, live, groups, names, unit, cost)


def _choice(
    option: str,
    sizes: tuple[float, ...],
    losses: Floats,
    weights: Floats,
    groups: Ints,
    names: list[str],
    unit: str,
    cost: float,
) -> RadiusChoice:
    """The rule, from losses (R, N) of rows with these weights (N,) and groups (N,)."""
    mass = np.bincount(groups, weights, len(names))
    sums = np.stack([np.bincount(groups, weights * x, len(names)) for x in losses])
    absent = mass == 0  # no row of theirs says anything
    by_group = np.where(absent, -np.inf, sums / np.where(absent, 1, mass))
    worst, means = by_group.argmax(1), losses @ weights / weights.sum()
    allowed = means <= means[0] + cost
    best = int(np.where(allowed, by_group.max(1), np.inf).argmin())

    def within(r: int) -> bool:
        """Whether the worst group at r is within a standard error of that at the best."""
        gap = by_group[r].max() - by_group[best].max()
        own = (groups == worst[r]) & (weights > 0)
        differences = (losses[r] - losses[best])[own]  # a rule, no test: rows are independent
        error = differences.std(ddof=1) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
        return bool(gap <= error)

    chosen = next(r for r in range(len(sizes)) if allowed[r] and (r == best or within(r)))
    figures = zip(by_group.max(1).tolist(), means.tolist(), allowed.tolist(), strict=True)
    tried = tuple(
        Tried(size, highest, names[group], mean, fits)
        for size, group, (highest, mean, fits) in zip(sizes, worst, figures, strict=True)
    )
    return RadiusChoice(option, sizes[chosen], tried, unit, len(names), cost)


def _require_plain_losses(objective: Objective) -> None:
    """The held-out losses that judge a size are plain ones, of a loss that is given."""
    assert isinstance(objective.risk, SizedRisk)
    option = objective.risk.size_option
    for name, chosen in (
        ("risk.regret", objective.risk.regret),
        ("risk.trim", objective.risk.trim != 0),
        ("labels.coefficient 'fitted'", is_fitted(objective)),
    ):
        if chosen:
            raise ConfigurationError(
                f"{option} 'auto' judges sizes by plain held-out losses, and {name} makes them "
                f"others. Give the {option} a number, or leave the other out."
            )


def _unit(objective: Objective, preferences: Preferences) -> Unit:
    """The groups that are left out: the risk's own units, where they are larger than prompts."""
    unit = objective.risk.unit
    if unit not in ("pair", "prompt"):
        return unit
    for column in ("group", "source"):
        if preferences.has(column):
            return column
    raise ConfigurationError(
        f"choosing a size leaves groups out, and the data give neither 'group' nor 'source' (the "
        f"risk is over {unit}s). Take unit: cluster, or give a number."
    )


def _folds(groups: Ints, count: int) -> Ints:
    """The fold (N,) of each row: its group, or where there are many, several groups of any size."""
    if count <= _MOST:
        return groups
    order = np.argsort(-np.bincount(groups, minlength=count), kind="stable")
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % (_MOST // 2)
    return fold[groups]
