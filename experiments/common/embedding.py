"""A row of a table: an embedding scorer and an objective that differ from the defaults."""

from __future__ import annotations

import warnings
from typing import Any

from pydantic import Field

from surefoot.data import Preferences
from surefoot.objectives import Objective
from surefoot.options import Options
from surefoot.scorers import EmbeddingRewardModel, EmbeddingScorer


class Method(Options):
    """One row of a table."""

    scorer: dict[str, Any] = Field({})
    """Options of the embedding scorer."""
    objective: dict[str, Any] = Field({})
    """Options of the objective."""


def fitted(
    pairs: Preferences, scorer: EmbeddingScorer, objective: Objective, seed: int
) -> EmbeddingRewardModel:
    """A model of the pairs, without what the validator says of its objective: it is in the docs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EmbeddingRewardModel(scorer, objective, seed).fit(pairs)
