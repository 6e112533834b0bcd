"""From rewards over seeds to the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surefoot.demo.methods import COLUMNS, ColumnKey, Method
from surefoot.demo.result import Cell, Row
from surefoot.evaluation import ComparisonResult, clusters_of, compare, evaluate_over_seeds
from surefoot.statistics import Calibration, Comparison, Estimate, calibration, mean
from surefoot.worlds import WorldPairs
from surefoot.worlds.pool import RARE

#: One method on each seed: `rewards` (N, 2) and `probabilities` (N,) by test set, and worst-case
#: weights, on the rare group (`weight_on_rare`) and on flipped labels (`weight_on_flipped`).
Fits = Sequence[Mapping[str, Any]]


def rows_of(
    compared: Sequence[Method], fitted: Mapping[str, Fits], tests: Mapping[str, WorldPairs]
) -> tuple[Row, ...]:
    """The rows of the table, each against the row that its method names, on the same seeds."""
    return tuple(
        Row(
            method,
            _cells(fitted[method.name], fitted.get(method.against), tests),
            {
                "weight_on_rare_group": _over_seeds(fitted[method.name], "weight_on_rare"),
                "weight_on_flipped_labels": _over_seeds(fitted[method.name], "weight_on_flipped"),
                "calibration": _calibration(fitted[method.name], tests["test"]),
            },
        )
        for method in compared
    )


def _cells(
    fits: Fits, baseline: Fits | None, tests: Mapping[str, WorldPairs]
) -> dict[ColumnKey, Cell]:
    values = _values(fits, tests)
    if baseline is None:
        return {key: Cell(value) for key, value in values.items()}
    gaps = _differences(fits, baseline, tests)
    return {key: Cell.of(value, gaps[key], COLUMNS[key]) for key, value in values.items()}


def _values(fits: Fits, tests: Mapping[str, WorldPairs]) -> dict[ColumnKey, Estimate]:
    """Every figure of one method, with intervals over seeds and test prompts."""

    def on(test: str, noisy: bool = False) -> dict[str, Estimate]:
        pairs = tests[test].observed if noisy else tests[test].clean
        return evaluate_over_seeds(
            _of(fits, "rewards", test), pairs, probabilities=_of(fits, "probabilities", test)
        )

    test = on("test")
    return {
        "clean": test["accuracy"],
        "noisy": on("test", noisy=True)["accuracy"],
        "shifted": on("shifted")["accuracy"],
        "rare": on("alike")[f"group: {RARE}"],
        "log-loss": test["log_loss"],
    }


def _differences(
    fits: Fits, baseline: Fits, tests: Mapping[str, WorldPairs]
) -> dict[ColumnKey, Comparison]:
    """Paired differences to another method."""

    def on(test: str, noisy: bool = False) -> ComparisonResult:
        return compare(
            _of(fits, "rewards", test),
            _of(baseline, "rewards", test),
            tests[test].observed if noisy else tests[test].clean,
            probabilities=_of(fits, "probabilities", test),
            baseline_probabilities=_of(baseline, "probabilities", test),
        )

    test = on("test")
    return {
        "clean": test.accuracy,
        "noisy": on("test", noisy=True).accuracy,
        "shifted": on("shifted").accuracy,
        "rare": on("alike").groups[RARE],
        "log-loss": test.log_loss,
    }


def _of(fits: Fits, what: str, test: str) -> list[np.ndarray]:
    return [np.array(one[what][test]) for one in fits]


def _over_seeds(fits: Fits, figure: str) -> Estimate:
    return mean([one[figure] for one in fits], covers="seeds")


def _calibration(fits: Fits, test: WorldPairs) -> Calibration:
    """Calibration over all seeds together; a prompt is a cluster over seeds."""
    return calibration(
        np.concatenate(_of(fits, "probabilities", "test")),
        np.tile(test.truth, len(fits)),
        np.tile(clusters_of(test.observed).ids, len(fits)),
        covers="test prompts",
    )
