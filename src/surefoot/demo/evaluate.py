"""From rewards over seeds to the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from surefoot.demo.methods import COLUMNS, PLAIN, ColumnKey, Method
from surefoot.demo.result import Cell, Row, cell
from surefoot.evaluation import ComparisonResult, clusters_of, compare
from surefoot.statistics import (
    Calibration,
    Comparison,
    Estimate,
    calibration,
    hierarchical,
    holm,
    log_loss,
    mean,
)
from surefoot.worlds import WorldPairs
from surefoot.worlds.pool import RARE

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """One method on one seed.

    Attributes:
        rewards: (N, 2) on each test set.
        probabilities: (N,) on each test set.
        weight_on_rare: worst-case weight on the rare group's training pairs.
        weight_on_flipped: the same on flipped labels.
    """

    rewards: dict[str, Floats]
    probabilities: dict[str, Floats]
    weight_on_rare: float
    weight_on_flipped: float


def rows_of(
    compared: Sequence[Method],
    fitted: Mapping[str, Sequence[Fitted]],
    tests: Mapping[str, WorldPairs],
) -> tuple[Row, ...]:
    """The rows of the table, each against plain on the same seeds."""
    values = {m.name: _values(fitted[m.name], tests) for m in compared}
    gaps = {
        m.name: _differences(fitted[m.name], fitted[PLAIN], tests)
        for m in compared
        if m.name != PLAIN
    }
    adjusted = _adjusted(gaps)
    return tuple(
        Row(
            method,
            {
                key: cell(
                    value,
                    gaps[method.name][key],
                    adjusted.get((method.name, key)),
                    COLUMNS[key].lower_is_better,
                )
                if method.name in gaps
                else Cell(value)
                for key, value in values[method.name].items()
            },
            _over_seeds([one.weight_on_rare for one in fitted[method.name]]),
            _over_seeds([one.weight_on_flipped for one in fitted[method.name]]),
            _calibration(fitted[method.name], tests["test"]),
        )
        for method in compared
    )


def _values(runs: Sequence[Fitted], tests: Mapping[str, WorldPairs]) -> dict[ColumnKey, Estimate]:
    """Every figure of one method, with intervals over seeds and test prompts."""
    rare = np.array([g == RARE for g in tests["alike"].observed.strings("group")])

    def accuracy(
        test: str, rows: npt.NDArray[np.bool_] | None = None, noisy: bool = False
    ) -> Estimate:
        pairs = tests[test]
        labels = pairs.observed.labels if noisy else pairs.truth
        kept = np.ones(len(pairs), dtype=bool) if rows is None else rows
        correct = []
        for run in runs:
            margin = run.rewards[test][:, 0] - run.rewards[test][:, 1]
            vote = (np.sign(margin) + 1) / 2
            correct.append(np.where(labels > 0.5, vote, 1 - vote)[kept])
        shared = clusters_of(pairs.observed)
        return hierarchical(correct, shared.ids[kept], covers=shared.covers)

    test = tests["test"]
    losses = [log_loss(run.probabilities["test"], test.truth) for run in runs]
    shared = clusters_of(test.observed)
    return {
        "clean": accuracy("test"),
        "noisy": accuracy("test", noisy=True),
        "shifted": accuracy("shifted"),
        "rare": accuracy("alike", rare),
        "log-loss": hierarchical(losses, shared.ids, covers=shared.covers),
    }


def _differences(
    runs: Sequence[Fitted], plain: Sequence[Fitted], tests: Mapping[str, WorldPairs]
) -> dict[ColumnKey, Comparison]:
    """Paired differences to plain."""

    def against(test: str, noisy: bool = False) -> ComparisonResult:
        return compare(
            [run.rewards[test] for run in runs],
            [run.rewards[test] for run in plain],
            tests[test].observed if noisy else tests[test].clean,
            probabilities=[run.probabilities[test] for run in runs],
            baseline_probabilities=[run.probabilities[test] for run in plain],
        )

    clean = against("test")
    return {
        "clean": clean.accuracy,
        "noisy": against("test", noisy=True).accuracy,
        "shifted": against("shifted").accuracy,
        "rare": against("alike").groups[RARE],
        "log-loss": clean.log_loss,
    }


def _adjusted(
    gaps: Mapping[str, Mapping[ColumnKey, Comparison]],
) -> dict[tuple[str, ColumnKey], float]:
    """P-values, Holm-adjusted over all comparisons of the table."""
    tested = {
        (name, key): found.p_value
        for name, by_column in gaps.items()
        for key, found in by_column.items()
        if found.p_value is not None
    }
    return dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))


def _over_seeds(values: Sequence[float]) -> Estimate:
    return mean(values, covers="seeds")


def _calibration(runs: Sequence[Fitted], test: WorldPairs) -> Calibration:
    """Of all seeds together; a prompt is a cluster over seeds."""
    prompts = clusters_of(test.observed).ids
    return calibration(
        np.concatenate([run.probabilities["test"] for run in runs]),
        np.tile(test.truth, len(runs)),
        np.tile(prompts, len(runs)),
        covers="test prompts",
    )
