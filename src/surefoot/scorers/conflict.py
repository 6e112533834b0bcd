"""Do sources want opposite things? Heads trained on one source, tried on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from surefoot.scorers.head import Problem, margins_of
from surefoot.scorers.heads.linear import Linear
from surefoot.statistics import Estimate, mean

FEWEST_PAIRS = 100  # of a source, to be tried at all
MOST_SOURCES = 12
RIDGE = 0.3


@dataclass(frozen=True)
class SourceConflict:
    """Held-out accuracy of a linear head by the source it was trained on and tried on.

    Attributes:
        names: the S sources, the largest first.
        accuracy: S rows (trained on) of S estimates (tried on).
        pooled: S estimates: trained on all of them.
    """

    names: tuple[str, ...]
    accuracy: tuple[tuple[Estimate, ...], ...]
    pooled: tuple[Estimate, ...]

    @property
    def opposed(self) -> list[tuple[str, str]]:
        """Sources (trained on, tried on) where the first teaches the opposite of the second.

        The first is learnable (better than chance on itself) and worse than chance on the second,
        both by more than the interval.
        """
        pairs = []
        for i, row in enumerate(self.accuracy):
            own = row[i].low
            if own is None or own <= 0.5:
                continue
            for j, found in enumerate(row):
                if found.high is not None and found.high < 0.5:
                    pairs.append((self.names[i], self.names[j]))
        return pairs

    def warning(self) -> str:
        """A sentence for the user; empty where no two sources are opposed."""
        if not self.opposed:
            return ""
        one, other = self.opposed[0]
        i, j = self.names.index(one), self.names.index(other)
        others = len(self.opposed) - 1
        return (
            f"Sources {one!r} and {other!r} want opposite things: a head trained on {one!r} alone "
            f"orders {self.accuracy[i][j]} of the {other!r} pairs right (its own: "
            f"{self.accuracy[i][i]}). Pooled, they cancel: {self.pooled[i]} on {one!r}, "
            f"{self.pooled[j]} on {other!r}. Set scorer.source_aware: true, or train one model per "
            f"source." + (f" {others} more such pair(s) of sources." if others else "")
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
    problem: Problem,
    sources: Sequence[str | None],
    folds: Tensor,
    clusters: npt.NDArray[np.int64],
) -> SourceConflict | None:
    """Try a linear head of each source on the held-out pairs of every source.

    Args:
        problem: features without source copies, and evidence; one fit (K = 1).
        sources: (N,) source of each row.
        folds: (N,) fold of each row.
        clusters: (N,) what pairs share, for the intervals.

    Returns:
        None where fewer than two sources have enough pairs.
    """
    named = np.array([source or "" for source in sources], dtype=object)
    live = problem.mass[:, 0].numpy() > 0
    sizes = {name: int((named[live] == name).sum()) for name in set(named) - {""}}
    names = [n for n in sorted(sizes, key=lambda n: (-sizes[n], n)) if sizes[n] >= FEWEST_PAIRS]
    names = names[:MOST_SOURCES]
    if len(names) < 2:
        return None
    member = torch.from_numpy(np.stack([named == name for name in names], axis=1))  # (N, S)
    member = torch.cat([member, member.any(1, keepdim=True)], dim=1)  # and all of them
    held_out = torch.nn.functional.one_hot(folds).bool()  # (N, F)
    trained = (member[:, :, None] & ~held_out[:, None]).flatten(1)  # (N, (S + 1) F)
    mass = problem.mass * trained
    count = mass.shape[1]
    head = Linear(l2=RIDGE)
    batch = replace(
        problem,
        mass=mass,
        l2=torch.full((count,), RIDGE, dtype=torch.float64),
        seeds=problem.seeds * count,
    )
    fitted = head.fit(batch, certify=False)
    margins = margins_of(head.rewards(fitted.parameters, problem.features))
    by_source = margins.unflatten(1, (len(names) + 1, held_out.shape[1]))
    out_of_fold = (by_source * held_out[:, None]).sum(-1).numpy()  # (N, S + 1)

    labels = problem.evidence.label.numpy()
    right = (np.sign(out_of_fold) * np.sign(labels - 0.5)[:, None] + 1) / 2
    usable = live & (labels != 0.5)

    def accuracy(trained_on: int, tried_on: str) -> Estimate:
        rows = usable & (named == tried_on)
        return mean(right[rows, trained_on], clusters[rows])

    return SourceConflict(
        tuple(names),
        tuple(tuple(accuracy(i, name) for name in names) for i in range(len(names))),
        tuple(accuracy(len(names), name) for name in names),
    )
