"""What tests of auxiliary models share."""

from __future__ import annotations

import pytest

from surefoot.nuisance.fitted import FittedModel
from surefoot.scorers import EmbeddingScorer


@pytest.fixture(scope="session")
def small_fitted(small_encoder) -> FittedModel:
    """A linear head on a small encoder, in three folds."""
    scorer = EmbeddingScorer(encoder={"name": small_encoder}, folds=2)
    return FittedModel(scorer=scorer, folds=3)
