"""What a transformers model is and reads, by its configuration, and the tokens that it knows."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from surefoot.errors import ConfigurationError, first_line
from surefoot.pretrained import Tokenizer

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


#: Tokens that models reserve for padding without naming them.
_RESERVED = ("<|pad|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|endoftext|>")


def require_rows(model: Any, tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer with tokens for which the model has no embedding, or no output.

    Raises:
        ConfigurationError: it has; the message names both numbers.
    """
    vocabulary = tokenizer.get_vocab()
    if not vocabulary:
        return
    last = max(vocabulary, key=vocabulary.__getitem__)
    needed = vocabulary[last] + 1
    weight = getattr(model.get_input_embeddings(), "weight", None)
    output = getattr(model, "get_output_embeddings", lambda: None)()
    for name, rows in (
        ("embedding", getattr(weight, "shape", (needed,))[0]),
        # Its weights lie transposed in some kinds, or packed in 4 bits.
        ("output", getattr(output, "out_features", needed)),
    ):
        if needed > rows:
            raise ConfigurationError(
                f"the tokenizer has {needed} tokens (the last is {last!r}) and the model {name} "
                f"rows for {rows}: the two do not belong together. Take the tokenizer that the "
                "model was trained with; or, to train the new tokens, give the model rows for them "
                f"and save both together: model.resize_token_embeddings({needed})."
            )


def text_config(model: Any) -> Any:
    """The configuration in which a model looks for its pad token: models of images have two."""
    return getattr(model.config, "text_config", model.config)


def ensure_pad_token(model: Any, tokenizer: Tokenizer, adapted: bool) -> None:
    """Give a reward model a pad token that is not the end token, and tell its config.

    A sequence classifier reads the last token that is not padding: were padding the end token, the
    end of a text would be taken for padding. Taken are, in this order: the tokenizer's own, a token
    reserved for it, a new one (where the embeddings have a row left, or may grow), and the token
    that begins a text, which never ends one. Under an adapter (`adapted`), embeddings cannot grow.

    Raises:
        ConfigurationError: there is no such token.
    """
    end = tokenizer.eos_token_id
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == end:
        vocabulary = tokenizer.get_vocab()
        rows = model.get_input_embeddings().weight.shape[0]
        reserved = [t for t in _RESERVED if t in vocabulary and vocabulary[t] not in (end, None)]
        if reserved:
            tokenizer.pad_token = reserved[0]
        elif len(tokenizer) < rows or not adapted:
            tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
            if len(tokenizer) > rows:
                model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        elif tokenizer.bos_token_id not in (None, end):
            tokenizer.pad_token = tokenizer.bos_token
        else:
            raise ConfigurationError(
                "the tokenizer has no token for padding beside its end token, and embeddings do "
                "not grow under an adapter. Add a pad token to the tokenizer and the model first."
            )
    text_config(model).pad_token_id = tokenizer.pad_token_id
