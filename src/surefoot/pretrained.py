"""Classes of transformers in signatures: the library itself takes seconds to import."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer
else:
    PreTrainedConfig = PreTrainedModel = Tokenizer = Any

__all__ = ["PreTrainedConfig", "PreTrainedModel", "Tokenizer"]
