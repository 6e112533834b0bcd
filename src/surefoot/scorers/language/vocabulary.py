"""The tokens that a model and its tokenizer share: a row for each, and one of them for padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.errors import ConfigurationError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Tokens that models reserve for padding without naming them.
_RESERVED = ("<|pad|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|endoftext|>")


def require_rows(model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
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


def ensure_pad_token(model: Any, tokenizer: PreTrainedTokenizerBase, adapted: bool) -> None:
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
