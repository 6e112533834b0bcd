"""The optimiser step: which pairs it holds, and how they are spread over ranks and micro-batches.

Which pairs share a step is a matter of statistics (whole units, nearly equal steps); how a step is
computed is a matter of speed and memory, and changes no number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.arrays import Ints
from surefoot.data.units import emptiest


@dataclass
class StepSampler:
    """Rows of every step of an epoch, shuffled by seed and epoch; every rank sees all of them.

    An epoch has ceil(N / size) steps (or one per unit, where that is fewer), and each row is in one
    of them. All rows of a unit are in the same step, so steps differ by the largest unit at most:
    where units are single rows, by one row.
    """

    units: Ints  #: (N,) the unit of each row that must not be torn apart
    size: int  #: rows per step, about
    seed: int
    shuffle: bool = True
    """Otherwise rows come in their order, and the last step is as short as it happens."""
    epoch: int = 0  #: set by the trainer before each epoch

    def __len__(self) -> int:
        if not self.shuffle:
            return len(self._in_order())
        return min(math.ceil(len(self.units) / self.size), len(np.unique(self.units)))

    def _in_order(self) -> list[Ints]:
        """Steps of consecutive units, as they first appear."""
        _, first, unit = np.unique(self.units, return_index=True, return_inverse=True)
        rows = np.argsort(first[unit], kind="stable")
        new = np.diff(first[unit][rows], prepend=-1) != 0  # where a unit begins
        step = (np.flatnonzero(new) // self.size)[np.cumsum(new) - 1]
        return np.split(rows, np.flatnonzero(np.diff(step)) + 1)

    def __iter__(self) -> Iterator[Ints]:
        if not self.shuffle:
            yield from self._in_order()
            return
        generator = np.random.default_rng([self.seed, self.epoch])
        _, sizes = np.unique(self.units, return_counts=True)
        rows_of = np.split(np.argsort(self.units, kind="stable"), np.cumsum(sizes)[:-1])
        order = generator.permutation(len(sizes))
        order = order[np.argsort(-sizes[order], kind="stable")]  # the largest are placed first
        steps: list[list[Ints]] = [[] for _ in range(len(self))]
        first = np.argsort(generator.permutation(len(self)))
        for one, step in zip(order, emptiest(sizes[order], first), strict=True):
            steps[step].append(rows_of[one])
        yield from map(np.concatenate, steps)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""
        self.epoch = epoch


#: What a micro-batch costs beside its tokens, in tokens: an estimate, which changes speed alone.
OVERHEAD = 256


def plan(
    widths: npt.NDArray[np.integer],
    ranks: int,
    most: int,
    tokens: int | None = None,
    overhead: int = OVERHEAD,
) -> list[list[Ints]]:
    """Micro-batches of each rank: positions in the step, longest first, as many on every rank.

    Rows are sorted by length and cut where that costs least: padded tokens, and `overhead` for
    each micro-batch (dynamic programming, exact).

    Args:
        widths: (N,) tokens that each row takes, and any shorter one beside it.
        ranks: R processes.
        most: rows in a micro-batch at most.
        tokens: tokens in a micro-batch at most, padding counted (a row alone may exceed it).
        overhead: cost of a micro-batch beside its tokens, in tokens.

    Returns:
        R lists of M arrays. An array is empty where there are fewer pairs than ranks.
    """
    cost = np.asarray(widths, dtype=np.int64)
    order = np.argsort(-cost, kind="stable")
    parts = _cheapest_cuts(order, cost[order], most, tokens, overhead)
    while len(parts) % ranks and max(map(len, parts)) > 1:  # split the largest
        index = max(range(len(parts)), key=lambda i: len(parts[i]))
        half = (len(parts[index]) + 1) // 2
        parts[index : index + 1] = [parts[index][:half], parts[index][half:]]
    parts += [np.empty(0, dtype=np.int64)] * (-len(parts) % ranks)
    return [parts[rank::ranks] for rank in range(ranks)]


def _cheapest_cuts(
    order: Ints, cost: Ints, most: int, tokens: int | None, overhead: int
) -> list[Ints]:
    """Consecutive parts of `order` (N,); a part costs its size times the cost of its first."""
    count = len(order)
    best = np.full(count + 1, np.inf)
    best[0] = 0.0
    cut = np.zeros(count + 1, dtype=np.int64)
    for end in range(1, count + 1):
        starts = np.arange(max(0, end - most), end)
        padded = (end - starts) * cost[starts]
        total = best[starts] + padded + overhead
        if tokens is not None:
            total[(padded > tokens) & (end - starts > 1)] = np.inf
        cut[end] = starts[total.argmin()]
        best[end] = total.min()
    parts: list[Ints] = []
    while count:
        parts.append(order[cut[count] : count])
        count = int(cut[count])
    return parts[::-1]
