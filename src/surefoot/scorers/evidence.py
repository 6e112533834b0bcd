"""What the data say, in the terms of an objective: evidence, and facts for the validator."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surefoot.columns import DECLARED
from surefoot.data.references import references_of
from surefoot.data.schema import FEATURES, Preferences
from surefoot.errors import DataError
from surefoot.objectives import Evidence, Facts, Objective, ReferencePairs, Units
from surefoot.objectives.evidence import rows_of_draws


def evidence_of(
    preferences: Preferences, objective: Objective
) -> tuple[Evidence, Preferences | None]:
    """What is known of each of N pairs, in float64; and P reference pairs, if the objective asks.

    Raises:
        DataError: a column that is needed is given in some rows only.
    """
    columns = {one: _whole(preferences, one.name) for one in objective.labels.columns}
    evidence = Evidence(
        torch.from_numpy(preferences.labels),
        _whole(preferences, "auxiliary"),
        columns={one: values for one, values in columns.items() if values is not None},
    )
    if "references" not in objective.labels.properties.needs:
        return evidence, None
    references = references_of(preferences)
    of, draws = torch.from_numpy(references.of), torch.from_numpy(references.draws)
    pairs = ReferencePairs(
        torch.from_numpy(references.pairs.labels),
        torch.from_numpy(references.sets),
        of,
        torch.from_numpy(references.independent),
        draws,
        rows_of_draws(draws, of, torch.from_numpy(preferences.weights)),
    )
    return replace(evidence, references=pairs), references.pairs


def _whole(preferences: Preferences, column: str) -> Tensor | None:
    """A column of numbers (N,), None where no row has it; a part of the rows is not enough."""
    if not preferences.has(column):
        return None
    values = preferences.numbers(column)
    if np.isnan(values).any():
        raise DataError(
            f"{preferences.name}: the column {column!r} is null in {np.isnan(values).sum()} of "
            f"{len(preferences)} rows; it has to be given in all or none."
        )
    return torch.from_numpy(values)


def facts_of(
    preferences: Preferences, units: Units | None, step: int | None = None, **of_the_scorer: Any
) -> Facts:
    """Facts about the data and the scorer, for the validator.

    Args:
        preferences: N comparisons.
        units: the unit of each; None where each is its own.
        step: pairs in a step, over which units are spread; None: units are seen whole.
        of_the_scorer: the other facts.
    """
    labels = preferences.labels
    steps = 1 if step is None else math.ceil(len(labels) / step)
    smallest = 1 if units is None else int(torch.bincount(units.ids).min())
    seen = len(labels) if units is not None or step is None else min(step, len(labels))
    return Facts(
        soft_labels=bool(((labels > 0) & (labels < 1)).any()),
        columns=frozenset(name for name in (*FEATURES, *DECLARED) if preferences.has(name)),
        smallest_unit=1 if units is None else smallest / steps,
        smallest_share=min(smallest / seen, 1 / (seen if units is None else units.count)),
        step=None if steps == 1 else step,
        **of_the_scorer,
    )
