"""From rewards over seeds to the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from surefoot.demo.claims import Cell, in_words
from surefoot.demo.methods import COLUMNS, ColumnKey, Method
from surefoot.demo.result import Row
from surefoot.evaluation import ComparisonResult, clusters_of, compare
from surefoot.report.words import outcome
from surefoot.statistics import (
    Calibration,
    Comparison,
    Estimate,
    Range,
    calibration,
    hierarchical,
    log_loss,
    mean,
)
from surefoot.statistics.ties import credit, side_of_rewards
from surefoot.worlds import WorldPairs
from surefoot.worlds.pool import RARE

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MethodFit:
    """Figures of one method on one seed.

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
    fitted: Mapping[str, Sequence[MethodFit]],
    tests: Mapping[str, WorldPairs],
) -> tuple[Row, ...]:
    """The rows of the table, each against the row that its method names, on the same seeds."""
    return tuple(
        Row(
            method,
            _cells(fitted[method.name], fitted.get(method.against), tests),
            _over_seeds([one.weight_on_rare for one in fitted[method.name]]),
            _over_seeds([one.weight_on_flipped for one in fitted[method.name]]),
            _calibration(fitted[method.name], tests["test"]),
        )
        for method in compared
    )


def _cells(
    runs: Sequence[MethodFit], baseline: Sequence[MethodFit] | None, tests: Mapping[str, WorldPairs]
) -> dict[ColumnKey, Cell]:
    values = _values(runs, tests)
    if baseline is None:
        return {key: Cell(value) for key, value in values.items()}
    gaps = _differences(runs, baseline, tests)
    return {
        key: Cell(value, gaps[key], in_words(COLUMNS[key], outcome(gaps[key])))
        for key, value in values.items()
    }


def _values(
    runs: Sequence[MethodFit], tests: Mapping[str, WorldPairs]
) -> dict[ColumnKey, Estimate]:
    """Every figure of one method, with intervals over seeds and test prompts."""
    rare = np.array([g == RARE for g in tests["alike"].observed.strings("group")])

    everywhere = np.ones_like(rare)

    def accuracy(name: str, labels: Floats, rows: npt.NDArray[np.bool_] = everywhere) -> Estimate:
        sides = [side_of_rewards(run.rewards[name]) for run in runs]
        correct = [credit(one, labels)[rows] for one in sides]
        shared = clusters_of(tests[name].observed)
        return hierarchical(correct, shared.ids[rows], covers=shared.covers)

    test = tests["test"]
    shared = clusters_of(test.observed)
    chances = [run.probabilities["test"] for run in runs]
    losses = [log_loss(p, test.truth) for p in chances]
    ranges = [Range.over_labels(partial(log_loss, p), len(p)) for p in chances]
    return {
        "clean": accuracy("test", test.truth),
        "noisy": accuracy("test", test.observed.labels),
        "shifted": accuracy("shifted", tests["shifted"].truth),
        "rare": accuracy("alike", tests["alike"].truth, rare),
        "log-loss": hierarchical(losses, shared.ids, covers=shared.covers, within=ranges),
    }


def _differences(
    runs: Sequence[MethodFit], baseline: Sequence[MethodFit], tests: Mapping[str, WorldPairs]
) -> dict[ColumnKey, Comparison]:
    """Paired differences to another method."""

    def against(test: str, noisy: bool = False) -> ComparisonResult:
        return compare(
            [run.rewards[test] for run in runs],
            [run.rewards[test] for run in baseline],
            tests[test].observed if noisy else tests[test].clean,
            probabilities=[run.probabilities[test] for run in runs],
            baseline_probabilities=[run.probabilities[test] for run in baseline],
        )

    clean = against("test")
    return {
        "clean": clean.accuracy,
        "noisy": against("test", noisy=True).accuracy,
        "shifted": against("shifted").accuracy,
        "rare": against("alike").groups[RARE],
        "log-loss": clean.log_loss,
    }


def _over_seeds(values: Sequence[float]) -> Estimate:
    return mean(values, covers="seeds")


def _calibration(runs: Sequence[MethodFit], test: WorldPairs) -> Calibration:
    """Calibration over all seeds together; a prompt is a cluster over seeds."""
    prompts = clusters_of(test.observed).ids
    return calibration(
        np.concatenate([run.probabilities["test"] for run in runs]),
        np.tile(test.truth, len(runs)),
        np.tile(prompts, len(runs)),
        covers="test prompts",
    )
