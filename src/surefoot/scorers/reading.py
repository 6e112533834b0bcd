"""How a model that is yet to be trained will read comparisons, without its weights."""

from __future__ import annotations

from typing import Any

from surefoot.errors import ConfigurationError, unknown_name
from surefoot.scorers.embeddings.encoder import Encoder
from surefoot.scorers.embeddings.options import EncoderOptions
from surefoot.scorers.language.architecture import config_at, kind_named
from surefoot.scorers.language.loading import load_tokenizer, positions_of, reads_causally
from surefoot.scorers.scorer import EmbeddingScorer

_KINDS = ("embedding", "reward-model", "policy")


def reading_of(name: str, max_length: int, scorer: str | None = None) -> tuple[str, dict[str, Any]]:
    """How a model reads comparisons: what it is in words, and the arguments for a check of data.

    They are those of :func:`surefoot.data.checks.check`; `max_length` is no more than the model has
    positions.

    Args:
        name: `default` (the encoder of heads on embeddings), a folder or a hub name.
        max_length: tokens that are asked for.
        scorer: `embedding`, `reward-model` or `policy`; by default `embedding` where the
            configuration beside the tokenizer is that of a model without a head, else a language
            model.

    Raises:
        ConfigurationError: there is no tokenizer, or no such kind of scorer.
    """
    if scorer not in (None, *_KINDS):
        raise ConfigurationError(unknown_name("--scorer", str(scorer), _KINDS))
    config = None if name == "default" else config_at(name)
    heads = getattr(config, "architectures", None) or []
    headless = config is not None and kind_named(heads) is None
    if scorer == "embedding" or (scorer is None and (name == "default" or headless)):
        encoder = Encoder(EncoderOptions(name=name, max_length=max(8, max_length)))
        views = EmbeddingScorer().views
        limit = min(max_length, encoder.limit)
        description = f"a head on the embeddings of {name} (views: {', '.join(views)})"
        arguments = {"tokenizer": encoder.tokenizer, "max_length": limit, "views": views}
        return description, arguments
    place = Encoder(EncoderOptions(name=name)).path
    tokenizer = load_tokenizer(place)
    config = config or config_at(place)
    kind = scorer or kind_named(heads) or "policy"
    keep_end = kind == "reward-model" and config is not None and not _causal_head(config)
    positions = max_length if config is None else positions_of(config, tokenizer, keep_end)
    limit = min(max_length, positions)
    arguments = {"tokenizer": tokenizer, "max_length": limit, "keep_end": keep_end}
    return f"a {kind.replace('-', ' ')} with the tokenizer of {name}", arguments


def _causal_head(config: Any) -> bool:
    """Whether a classifier of this configuration reads the last token of a causal model."""
    import torch
    from transformers import AutoModelForSequenceClassification

    with torch.device("meta"):
        try:
            return reads_causally(AutoModelForSequenceClassification.from_config(config))
        except ValueError:  # there are no such classifiers
            return True
