"""Scores for (prompt, response): encoders, heads, reward models."""

from surefoot.plugins import modules_of
from surefoot.scorers.embeddings.encoder import Encoder, EncoderOptions
from surefoot.scorers.embeddings.reward_model import EmbeddingRewardModel, fit_models
from surefoot.scorers.ensemble import RewardEnsemble
from surefoot.scorers.ensemble_file import EnsembleOptions, Pessimism
from surefoot.scorers.head import Head
from surefoot.scorers.language.model import LanguageModel
from surefoot.scorers.language.options import PolicyScorer, RewardModelScorer
from surefoot.scorers.loading import load_scorer
from surefoot.scorers.scorer import EmbeddingScorer, Scorer
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
