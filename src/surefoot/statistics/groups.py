"""Means by group, and the worst group with an interval that survives having been picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.arrays import ArrayLike
from surefoot.statistics.estimate import Estimate, Scope, fields_ready
from surefoot.statistics.intervals import mean
from surefoot.statistics.ranges import Range

Groups = Sequence[str | None] | npt.NDArray[Any]


@dataclass(frozen=True)
class WorstGroup:
    """The group with the lowest mean."""

    group: str | None  #: its name; None where no group could be measured
    #: the lowest of the true group means. Its estimate is the lowest mean seen, which is low on
    #: average because it was picked; its interval allows for that.
    value: Estimate
    groups: dict[str, Estimate]  #: interval of each group, simultaneously valid for all of them

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, without the intervals of the other groups."""
        return fields_ready(self, "groups")


def by_group(
    values: ArrayLike,
    groups: Groups,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    covers: str = "test items",
    within: Range | None = None,
) -> dict[str, Estimate]:
    """Mean of each group in alphabetical order; rows whose group is None belong to none.

    The level is that of each interval on its own; the rest is as in
    :func:`~surefoot.statistics.intervals.mean`.

    Raises:
        ValueError: lengths that do not agree.
    """
    v = np.asarray(values, dtype=np.float64)
    if len(groups) != len(v):
        raise ValueError(f"groups name the group of each of {len(v)} values; got {len(groups)}.")
    rows_of: dict[str, list[int]] = {}
    for i, name in enumerate(groups):
        if name is not None:
            rows_of.setdefault(str(name), []).append(i)
    estimates = {}
    for name in sorted(rows_of):
        rows = np.array(rows_of[name])
        inside = None if clusters is None else np.asarray(clusters)[rows]
        limits = None if within is None else within.rows(rows)
        estimates[name] = mean(v[rows], inside, None, level, covers, limits)
    return estimates


def worst_group(
    values: ArrayLike,
    groups: Groups,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    covers: str = "test items",
    within: Range | None = None,
) -> WorstGroup:
    """The lowest group mean, with an interval for the lowest *true* group mean.

    K simultaneous intervals (Bonferroni: each at level 1 - (1 - level) / K) hold all true means
    together, so the lowest true mean lies between the lowest lower end and the lowest upper end.
    That is wide: coverage was .997 to .999 with 8 groups, three of them close to the lowest, at 10
    to 200 clusters each (`tests/statistics/coverage_worlds.py 2000 worst`). Groups with too few
    clusters for an interval are left out and named in the note.
    """
    single = by_group(values, groups, clusters, level, covers, within)
    measurable = {name: e for name, e in single.items() if e.low is not None}
    count = max(len(measurable), 1)
    together = by_group(values, groups, clusters, 1 - (1 - level) / count, covers, within)
    usable = {name: together[name] for name in measurable}
    left_out = sorted(set(single) - set(measurable))
    note = f"left out, too few clusters: {', '.join(left_out)}" if left_out else ""
    if not usable:
        n = sum(e.n for e in single.values())
        reason = note or "no row has a group"
        return WorstGroup(None, Scope(n, covers, level).refused(None, reason), together)
    worst = min(usable, key=lambda name: usable[name].estimate or 0.0)
    low = min(e.low for e in usable.values() if e.low is not None)
    high = min(e.high for e in usable.values() if e.high is not None)
    value = replace(usable[worst], low=low, high=high, level=level, note=note)
    return WorstGroup(worst, value, together)
