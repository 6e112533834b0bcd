"""Labels that two unlike models contradict, beside how many would be contradicted by chance.

Two models that saw different things are less often wrong together, so a label that both contradict
is suspect. But hard pairs, too, are contradicted: what they give is the count that both models,
calibrated together on these labels, expect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.statistics.dependence import Dependence
from surefoot.statistics.estimate import Estimate, Scope, fields_ready
from surefoot.statistics.logistic import fit

#: From this chance of the side that both are on, they count as sure.
SURE = 0.8


@dataclass(frozen=True)
class Contradicted:
    """Labels against two models that are sure and agree."""

    rows: Ints  #: positions of these labels, the surest contradicted first
    sure: int  #: how many pairs the models are sure of
    expected: float  #: how many of their labels would be contradicted by chance
    excess: Estimate  #: how many more are, with its interval

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: of the rows, how many there are."""
        return {"against": len(self.rows), **fields_ready(self, "rows")}


def contradicted(
    first: ArrayLike,
    second: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Contradicted:
    """Count labels against both models among the pairs that both order alike and surely.

    Args:
        first: (N,) margins of a model that did not see the labels, in any unit.
        second: (N,) those of another.
        labels: (N,) P(first preferred); soft ones count by what they say against, ties by half.
        weights: (N,), not negative; None: equal ones. A row without weight is left out.
        clusters: (N,) what the interval takes as shared; None: rows are independent.
        level: nominal coverage, of a normal approximation.
    """
    x = np.stack([np.asarray(one, dtype=np.float64) for one in (first, second)], axis=1)
    y = np.asarray(labels, dtype=np.float64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    x = x / np.maximum(np.abs(x).max(0, initial=0.0), 1e-300)  # squares may be no numbers
    x = x / np.maximum(np.sqrt(np.square(x).mean(0)), 1e-300)
    z: Floats = x @ np.maximum(fit(x, y, w), 0.0)  # a model that is no use has no say
    alike = (np.sign(x[:, 0]) == np.sign(x[:, 1])) & (w > 0)
    sure = np.flatnonzero(alike & (expit(np.abs(z)) >= SURE))
    against = np.where(z > 0, 1 - y, y)[sure]
    chance = expit(-np.abs(z[sure]))
    ids = sure if clusters is None else np.asarray(clusters)[sure]
    more = (against - chance)[:, None]
    scope = Scope(len(sure), "pairs that both models are sure of", level)
    if len(sure) < 2:
        excess = scope.refused(None, "both models are sure of no pair")
    else:
        error = np.sqrt(Dependence.of(ids, len(sure)).gram(more)[0, 0])
        total, reach = float(more.sum()), float(norm.isf((1 - level) / 2) * error)
        excess = scope.interval(total, total - reach, total + reach)
    rows = sure[against > 0.5]
    return Contradicted(
        rows[np.argsort(-np.abs(z[rows]), kind="stable")].astype(np.int64),
        len(sure),
        float(chance.sum()),
        excess,
    )
