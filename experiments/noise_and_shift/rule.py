"""Which method is nowhere worse than the best by more than a margin: the rule, on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from surefoot.arrays import Floats


@dataclass(frozen=True)
class Shortfall:
    """The largest distance of a method to the best of a cell, over all cells.

    Attributes:
        estimate: largest difference of means to any other method in any cell.
        low, high: with 95 % chance true of all methods at once.
        cell, rival: where it is, and who is best there.
        verdict: "within" the margin, "beyond" it, or "undecided".
    """

    estimate: float
    low: float
    high: float
    cell: int
    rival: int
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def shortfalls(
    losses: Floats,
    margin: float,
    level: float = 0.95,
    judged: int | None = None,
    attempts: int = 1,
) -> list[Shortfall]:
    """The shortfall of each of M methods, from losses (C, M, R) in C cells and R repetitions.

    The upper end is the largest upper end over cells and rivals: it misses the truth only if that
    of the cell and rival where the truth is largest does (intersection-union), so it is corrected
    for the number of methods alone. The lower end is the largest of all lower ends, which is
    corrected for the number of cells and rivals too. So it does not matter that the best of a cell
    is found on the same repetitions. Repetitions are paired; t quantiles, Bonferroni. Where only
    the first methods are `judged`, the others are rivals, and the correction is for those judged,
    and for the `attempts` that there were to find one within the margin.
    """
    cells, methods, repetitions = losses.shape
    if methods < 2 or repetitions < 3:
        raise ValueError(f"{methods} methods and {repetitions} repetitions; it takes 2 and 3.")
    judged = methods if judged is None else judged
    tail, freedom = (1 - level) / 2 / (judged * attempts), repetitions - 1
    up = stats.t.isf(tail, freedom)
    down = stats.t.isf(tail / ((methods - 1) * cells), freedom)
    found = []
    for m in range(judged):
        gaps = np.delete(losses[:, m, None] - losses, m, axis=1)  # (C, M - 1, R)
        mean = gaps.mean(-1)
        error = gaps.std(-1, ddof=1) / np.sqrt(repetitions)
        cell, rival = np.unravel_index(int(mean.argmax()), mean.shape)
        low = max(float((mean - down * error).max()), 0.0)
        high = max(float((mean + up * error).max()), 0.0)
        verdict = "within" if high <= margin else "beyond" if low > margin else "undecided"
        largest = max(float(mean.max()), 0.0)
        who = int(rival) + int(rival >= m)
        found.append(Shortfall(largest, low, high, int(cell), who, verdict))
    return found


def recommended(found: Sequence[Shortfall]) -> int:
    """The method to recommend: within the margin if there are such, of least shortfall."""
    within = [k for k, one in enumerate(found) if one.verdict == "within"]
    return min(within or range(len(found)), key=lambda k: found[k].estimate)
