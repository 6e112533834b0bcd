"""Scores for (prompt, response): encoders, heads, reward models."""

from surefoot.options import discover
from surefoot.scorers.embedding import EmbeddingRewardModel, fit_models
from surefoot.scorers.encoder import Encoder, EncoderOptions
from surefoot.scorers.head import Head
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import PolicyScorer, RewardModelScorer
from surefoot.scorers.loading import TrainedScorer, load_scorer
from surefoot.scorers.scorer import EmbeddingScorer, Scorer

discover(f"{__name__}.heads")

__all__ = [
    "EmbeddingRewardModel",
    "EmbeddingScorer",
    "Encoder",
    "EncoderOptions",
    "Head",
    "LanguageModel",
    "PolicyScorer",
    "RewardModelScorer",
    "Scorer",
    "TrainedScorer",
    "fit_models",
    "load_scorer",
]
