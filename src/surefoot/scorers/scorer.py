"""The options of a scorer: what gives a response its score."""

from __future__ import annotations

from pydantic import Field, field_validator

from surefoot.data.rendering.embedding_texts import FeatureView
from surefoot.data.splits import By
from surefoot.errors import ConfigurationError
from surefoot.options import Member
from surefoot.scorers.embeddings.options import EncoderOptions
from surefoot.scorers.head import Head
from surefoot.scorers.heads.linear import Linear


class Scorer(Member, slot="scorer"):
    """What gives a response its score."""

    @property
    def pairwise(self) -> bool:
        """Whether it judges pairs, and has no reward of a response alone."""
        return False


class EmbeddingScorer(Scorer, kind="embedding"):
    """A head on the frozen embeddings of an encoder."""

    encoder: EncoderOptions = EncoderOptions()
    """Encoder whose embeddings the head reads."""
    head: Head = Linear()
    """The head: `linear` or `mlp` give rewards, `general-preference` or `pairwise` judge pairs."""
    views: tuple[FeatureView, ...] = Field(("together",), min_length=1)
    """What the head sees of a response; see :func:`surefoot.scorers.embeddings.features.embed`."""
    source_aware: bool = False
    """Give each source its own part of the head beside the shared one."""
    members: int = Field(1, ge=1)
    """Heads of an ensemble, fitted as one batch, each on its own draw of the training prompts with
    replacement; the score is the mean of their standardised scores. 1: one head, all prompts."""
    folds: int = Field(5, ge=2)
    """Folds that choose the ridge penalty and the temperature."""
    fold_by: By = "prompt"
    """What stays in one fold; `row`: a pair of responses with all its labels, for data with few
    prompts, as tournaments."""

    @field_validator("views")
    @classmethod
    def _each_once(cls, views: tuple[FeatureView, ...]) -> tuple[FeatureView, ...]:
        if len(set(views)) < len(views):
            raise ConfigurationError(
                f"views names a view twice ({', '.join(views)}), which only changes its scale."
            )
        return views

    @property
    def pairwise(self) -> bool:
        """Whether its head judges pairs."""
        return self.head.pairwise
