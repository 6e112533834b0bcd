"""Do sources want opposite things? Heads trained on one source, tried on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from surefoot.arrays import Bools, Floats, Ints
from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.linear import Linear
from surefoot.statistics import Estimate, mean, paired_difference
from surefoot.statistics.ties import credit, side_of_half, side_of_margins

FEWEST_PAIRS = 200  # of a source, to be tried at all: 100 in each half
MOST_SOURCES = 12
RIDGE = 0.3
ALPHA = 0.05


@dataclass(frozen=True)
class SourceConflict:
    """Held-out accuracy of a linear head by the source it was trained on and tried on.

    Every head is trained on one half of the prompts and tried on the other, both ways. Two sources
    are opposed where each is learnable; each teaches the opposite of the other in both halves, by
    heads that share no data; and pooling costs each of them accuracy against its own head. All by
    more than intervals that allow for the number of pairs of sources.
    """

    names: tuple[str, ...]  #: the S sources, the largest first
    accuracy: tuple[tuple[Estimate, ...], ...]  #: S rows (trained on) of S estimates (tried on)
    pooled: tuple[Estimate, ...]  #: S estimates: trained on all of them
    opposed: tuple[tuple[str, str], ...]  #: pairs of sources that want opposite things

    def warning(self) -> str:
        """A sentence for the user; empty where no two sources are opposed."""
        if not self.opposed:
            return ""
        one, other = self.opposed[0]
        i, j = self.names.index(one), self.names.index(other)
        more = len(self.opposed) - 1
        return (
            f"Sources {one!r} and {other!r} want opposite things: a head trained on {one!r} alone "
            f"orders {self.accuracy[i][j]} of the {other!r} pairs right, and "
            f"{self.accuracy[i][i]} of its own. Pooled, they cancel: {self.pooled[i]} on {one!r}, "
            f"{self.pooled[j]} on {other!r} (alone {self.accuracy[j][j]}). Set "
            "scorer.source_aware: true, or train one model per source."
            + (f" {more} more pair(s) of sources are opposed." if more else "")
        )

    def to_dict(self) -> dict[str, object]:
        """JSON-ready form."""
        return {
            "sources": list(self.names),
            "accuracy": [[found.to_dict() for found in row] for row in self.accuracy],
            "pooled": [found.to_dict() for found in self.pooled],
            "opposed": [list(pair) for pair in self.opposed],
        }


def source_conflict(
    problem: Problem, sources: Sequence[str | None], half: Tensor, clusters: Ints
) -> SourceConflict | None:
    """Try a linear head of each source on the held-out pairs of every source.

    Args:
        problem: one fit, features without source copies, and evidence.
        sources: (N,) source of each row.
        half: (N,) 0 or 1, by prompt.
        clusters: (N,) what pairs share, for the intervals.

    Returns:
        None where fewer than two sources have enough pairs.
    """
    named = np.array([source or "" for source in sources], dtype=object)
    labels = problem.evidence.label.numpy()
    usable = (problem.mass[:, 0].numpy() > 0) & (side_of_half(labels) != 0)
    sizes = {name: int((named[usable] == name).sum()) for name in set(named) - {""}}
    large = [n for n in sorted(sizes, key=lambda n: (-sizes[n], n)) if sizes[n] >= FEWEST_PAIRS]
    names = tuple(large[:MOST_SOURCES])
    if len(names) < 2:
        return None
    members = np.stack([named == name for name in names], axis=1)
    margins = held_out_margins(problem, members, half)
    right = credit(side_of_margins(margins), labels[:, None])  # (N, S + 1)
    rows = [np.flatnonzero(usable & members[:, i]) for i in range(len(names))]
    return _judge(names, right, rows, half.numpy(), clusters)


def _judge(
    names: tuple[str, ...], right: Floats, rows: Sequence[Ints], half: Ints, clusters: Ints
) -> SourceConflict:
    """What is said by the answers of the heads of S sources, and of all (N, S + 1): right or not.

    For each source, `rows` are its pairs.
    """
    pairs = [(i, j) for i in range(len(names)) for j in range(i)]
    level = 1 - ALPHA / len(pairs)

    def at_most_chance(trained_on: int, at: Ints) -> bool:
        high = mean(right[at, trained_on], clusters[at], level=level).high
        return high is not None and high < 0.5

    def teaches_the_opposite(i: int, j: int) -> bool:
        return all(at_most_chance(i, rows[j][half[rows[j]] == h]) for h in (0, 1))

    def loses_by_pooling(i: int) -> bool:
        at = rows[i]
        own = mean(right[at, i], clusters[at], level=level).low
        cost = paired_difference(right[at, i], right[at, -1], clusters[at], level=level)
        low = cost.difference.low
        return own is not None and own > 0.5 and low is not None and low > 0

    losing = [loses_by_pooling(i) for i in range(len(names))]
    opposed = tuple(
        (names[j], names[i])
        for i, j in pairs
        if losing[i] and losing[j] and teaches_the_opposite(i, j) and teaches_the_opposite(j, i)
    )

    def accuracy(trained_on: int, tried_on: int) -> Estimate:
        at = rows[tried_on]
        return mean(right[at, trained_on], clusters[at], covers="test items, heads held fixed")

    everyone = range(len(names))
    return SourceConflict(
        names,
        tuple(tuple(accuracy(i, j) for j in everyone) for i in everyone),
        tuple(accuracy(len(names), j) for j in everyone),
        opposed,
    )


def held_out_margins(problem: Problem, members: Bools, half: Tensor) -> Floats:
    """Margins (N, S + 1) by linear heads of each source, and of all, from the half a row is not in.

    The heads of both halves are one batch.

    Args:
        problem: one fit, under the plain objective.
        members: (N, S) who belongs to which source.
        half: (N,) 0 or 1, by prompt.
    """
    everyone = np.concatenate([members, members.any(1, keepdims=True)], axis=1)
    other_half = torch.stack([half == 1, half == 0], dim=-1)[:, None]  # heads 0, 1 train on
    trained_on = torch.from_numpy(everyone)[:, :, None] & other_half  # (N, S + 1, 2)
    mass = problem.mass * trained_on.flatten(1)
    count, head = mass.shape[1], Linear(l2=RIDGE)
    ridge = torch.full((count,), RIDGE, dtype=torch.float64)
    fitted = head.fit(replace(problem, mass=mass, l2=ridge, seeds=problem.seeds * count), False)
    margins = margins_of(problem.scores(head, fitted.parameters)[: len(half)])
    return (margins.unflatten(1, (-1, 2)) * ~other_half).sum(-1).numpy()
