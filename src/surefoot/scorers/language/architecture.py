"""What a transformers model is and reads, by its configuration, before a weight is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from surefoot.errors import ConfigurationError, first_line

ModelKind = Literal["reward-model", "policy"]


def kind_named(classes: Iterable[str]) -> ModelKind | None:
    """The kind of the first of these classes of transformers that has a head; None: none has."""
    for name in classes:
        if name.endswith("ForSequenceClassification"):
            return "reward-model"
        if "CausalLM" in name or name.endswith("LMHeadModel"):
            return "policy"
    return None


def config_at(place: str) -> Any:
    """The configuration of a transformers model; None where there is none that can be read."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(place, trust_remote_code=False)
    except Exception:  # a damaged file can end in any
        return None


def architecture(place: str) -> ModelKind:
    """`reward-model` or `policy`, by what a model's configuration says.

    Raises:
        ConfigurationError: neither.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except Exception as error:  # a damaged file can end in any
        found = f"{place} is neither a run folder nor a transformers model"
        absent = f"no run folder at {place}, and no model of that name on the Hub"
        named = found if Path(place).exists() else absent
        raise ConfigurationError(f"{named} ({first_line(error)})") from error
    names = config.architectures or []
    kind = kind_named(names)
    if kind is None:
        raise ConfigurationError(
            f"{place} is a {', '.join(names) or 'model without a head'}: neither a sequence "
            "classifier nor a causal language model."
        )
    return kind


def is_causal(config: Any) -> bool:
    """Whether a model of this configuration reads a text from left to right, with or without head.

    Its kind is known to transformers as a causal language model, and not as a masked one too.
    """
    from transformers.models.auto import modeling_auto as known

    return getattr(config, "is_decoder", False) or (
        config.model_type in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        and config.model_type not in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES
        and not getattr(config, "use_bidirectional_attention", False)
        and not config.is_encoder_decoder
    )


def positions_in(config: Any) -> int:
    """Tokens that a model of this configuration can read; without a table of positions, any number.

    RoBERTa and its relatives number positions from behind their padding token on: the first of
    their table are never used.
    """
    import torch
    from transformers import AutoModel
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    known: int = getattr(config.get_text_config(), "max_position_embeddings", None) or 0
    if known <= 0:  # XLNet says -1
        return sys.maxsize
    if config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return known
    with torch.device("meta"):
        layers = AutoModel.from_config(config).named_modules()
    kept = [
        one.padding_idx + 1
        for name, one in layers
        if name.endswith("position_embeddings")
        and isinstance(one, torch.nn.Embedding)
        and one.padding_idx is not None
        and one.num_embeddings == known
    ]
    return known - max(kept, default=0)
