"""Scores for (prompt, response): encoders, heads, reward models."""

from typing import TYPE_CHECKING

from surefoot.lazy import offers
from surefoot.plugins import modules_of
from surefoot.scorers.embeddings.options import EncoderOptions
from surefoot.scorers.ensemble_file import EnsembleOptions, Pessimism
from surefoot.scorers.head import Head
from surefoot.scorers.language.options import PolicyScorer, RewardModelScorer
from surefoot.scorers.scorer import EmbeddingScorer, Scorer

if TYPE_CHECKING:
    from surefoot.scorers.embeddings.encoder import Encoder
    from surefoot.scorers.embeddings.reward_model import EmbeddingRewardModel, fit_models
    from surefoot.scorers.ensemble import RewardEnsemble
    from surefoot.scorers.language.model import LanguageModel
    from surefoot.scorers.loading import load_scorer
    from surefoot.scorers.trained import TrainedScorer

modules_of(f"{__name__}.heads")

__all__ = [
    "EmbeddingRewardModel",
    "EmbeddingScorer",
    "Encoder",
    "EncoderOptions",
    "EnsembleOptions",
    "Head",
    "LanguageModel",
    "Pessimism",
    "PolicyScorer",
    "RewardEnsemble",
    "RewardModelScorer",
    "Scorer",
    "TrainedScorer",
    "fit_models",
    "load_scorer",
]

__getattr__ = offers(
    __name__,
    {
        "EmbeddingRewardModel": "embeddings.reward_model",
        "Encoder": "embeddings.encoder",
        "LanguageModel": "language.model",
        "RewardEnsemble": "ensemble",
        "TrainedScorer": "trained",
        "fit_models": "embeddings.reward_model",
        "load_scorer": "loading",
    },
)
