"""From rewards over seeds to the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surefoot.demo.methods import ColumnKey, Method
from surefoot.demo.result import Cell, Row
from surefoot.evaluation import clusters_of, compare, evaluate_over_seeds
from surefoot.statistics import Calibration, Estimate, calibration, mean
from surefoot.worlds import WorldPairs
from surefoot.worlds.pool import RARE

#: One method on each seed: `rewards` (N, 2) and `probabilities` (N,) by test set, and worst-case
#: weights, on the rare group (`weight_on_rare`) and on flipped labels (`weight_on_flipped`).
Fits = Sequence[Mapping[str, Any]]

#: Where each column is measured: the test set, whether labels have flips, and the figure there.
_MEASURED: Mapping[ColumnKey, tuple[str, bool, str]] = {
    "clean": ("test", False, "accuracy"),
    "noisy": ("test", True, "accuracy"),
    "shifted": ("shifted", False, "accuracy"),
    "rare": ("alike", False, f"group: {RARE}"),
    "log-loss": ("test", False, "log_loss"),
}


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
    """Every figure of one method over seeds and test prompts, paired with another method's."""
    cells = {}
    for key, (test, noisy, figure) in _MEASURED.items():
        pairs = tests[test].observed if noisy else tests[test].clean
        rewards, chances = _of(fits, "rewards", test), _of(fits, "probabilities", test)
        value = evaluate_over_seeds(rewards, pairs, probabilities=chances)[figure]
        cells[key] = Cell(value)
        if baseline is not None:
            found = compare(
                rewards,
                _of(baseline, "rewards", test),
                pairs,
                probabilities=chances,
                baseline_probabilities=_of(baseline, "probabilities", test),
            )
            gap = found.groups[RARE] if key == "rare" else getattr(found, figure)
            cells[key] = Cell(value, gap)
    return cells


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
