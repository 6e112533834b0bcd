"""Small encoders made on the spot: random weights, real architectures, no hub."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast as FastTokenizer

WORDS = [
    *("please", "thanks", "yes", "no", "maybe", "good", "bad", "great", "awful", "kind", "rude"),
    *("help", "harm", "long", "short", "the", "a", "is", "it", "you", "me", "cook", "travel"),
    *("sleep", "run", "because", "really", "very", "more", "less", "word", "question", "answer"),
]


def _tokenizer(template: str) -> FastTokenizer:
    vocabulary = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return FastTokenizer(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", eos_token="[SEP]"
    )


def save_encoder(folder: Path, seed: int = 0) -> str:
    """A small BERT and its tokenizer in a folder; returns the folder as a string."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    _tokenizer("[CLS] $A [SEP]").save_pretrained(folder)
    return str(folder)


def save_causal(folder: Path) -> str:
    """A small Llama and its tokenizer, without a pad token of its own."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = _tokenizer("$A [SEP]")
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    return str(folder)
