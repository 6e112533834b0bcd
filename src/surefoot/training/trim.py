"""`risk.trim: auto`: the share of labels that repeated votes say is flipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.data import Preferences
from surefoot.data.labels.ballots import vote_counts
from surefoot.data.schema import ORDER
from surefoot.errors import DataError
from surefoot.objectives import Objective
from surefoot.statistics import (
    Estimate,
    disagreement_of,
    flip_rate_of_majority,
    flip_rate_of_votes,
    varying_rates,
)
from surefoot.statistics.flip_rate import VaryingRates

_MOST = 0.49  # trim stays below a half


@dataclass(frozen=True)
class EstimatedTrim:
    """An estimate of the share of labels that point the wrong way."""

    share: float
    votes: Estimate  #: the flip rate of a single vote
    varying: VaryingRates  #: whether pairs differ in it, so that it is too low

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "share": self.share,
            "flip_rate_of_votes": self.votes.to_dict(),
            "varying_rates": self.varying.to_dict(),
        }

    def __str__(self) -> str:
        return (
            f"trim {self.share:.3f}: the share of labels that point the wrong way, where a single "
            f"vote is flipped with rate {self.votes} ({self.votes.n} pairs with two votes or "
            f"more). {self.varying}"
        )


def with_trim(objective: Objective, data: Preferences) -> tuple[Objective, EstimatedTrim | None]:
    """The objective with a number in place of `auto`, and what it rests on.

    A label that is the mean of k votes points the wrong way as often as the majority of k does;
    any other label as often as one vote. People who want different things count as flips.

    Raises:
        DataError: no pair has two votes, and single labels only bound the rate.
    """
    if objective.risk.trim != "auto":
        return objective, None
    first, votes = vote_counts(data).T
    revoted = np.flatnonzero(votes >= 2)
    if not len(revoted):
        raise DataError(
            f"{data.name}: risk.trim 'auto' needs pairs with two votes or more (column `votes`). "
            "Single labels cannot tell flips from preferences that are hard to predict: they bound "
            "the rate (surefoot train prints it for heads on frozen embeddings). Set risk.trim."
        )
    disagreement = disagreement_of(first[revoted], votes[revoted])
    rate = flip_rate_of_votes(disagreement, data.prompt_keys()[revoted])
    assert rate.estimate is not None
    of_votes = np.array([origin in ("votes", ORDER) for origin in data.strings("label_from")])
    behind = np.where(of_votes, np.maximum(votes, 1), 1).astype(int)
    wrong = {k: flip_rate_of_majority(rate.estimate, k) for k in np.unique(behind).tolist()}
    share = min(float(np.mean([wrong[k] for k in behind.tolist()])), _MOST)
    risk = objective.risk.model_copy(update={"trim": share})
    return objective.model_copy(update={"risk": risk}), EstimatedTrim(
        share, rate, varying_rates(first, votes)
    )
