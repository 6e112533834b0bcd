"""Small models of many families, with options that another version might read otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers as t

VOCABULARY = 400
_LLAMA = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
_BERT = {k: v for k, v in _LLAMA.items() if k != "num_key_value_heads"}


def _rope(theta: float, kind: str = "default", **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_theta": theta, "rope_type": kind, **more}}


_SLIDING = {"sliding_window": 6, "use_sliding_window": True, "max_window_layers": 2}
_LLAMA3 = {
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
_YARN = {"factor": 4.0, "original_max_position_embeddings": 64}
_GEMMA3_ROPE = {
    "rope_parameters": {
        "full_attention": {"rope_type": "linear", "rope_theta": 50_000.0, "factor": 4.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 300.0},
    }
}
_MODERN = {
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 7_000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 300.0},
    }
}

#: Name: prefix of its classes, configuration class, options.
FAMILIES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "llama": ("Llama", t.LlamaConfig, _LLAMA | _rope(1e5)),
    "llama, plain": ("Llama", t.LlamaConfig, _LLAMA),
    "llama, scaled linearly": ("Llama", t.LlamaConfig, _LLAMA | _rope(5e4, "linear", factor=4.0)),
    "llama 3": ("Llama", t.LlamaConfig, _LLAMA | _rope(5e5, "llama3", **_LLAMA3)),
    "llama, yarn": ("Llama", t.LlamaConfig, _LLAMA | _rope(5e4, "yarn", **_YARN)),
    "qwen2": ("Qwen2", t.Qwen2Config, _LLAMA | _rope(1e6)),
    "qwen2, windows": ("Qwen2", t.Qwen2Config, _LLAMA | _rope(1e6) | _SLIDING),
    "qwen3": ("Qwen3", t.Qwen3Config, _LLAMA | _rope(1e6) | {"head_dim": 16}),
    "qwen3, windows": ("Qwen3", t.Qwen3Config, _LLAMA | _rope(1e6) | _SLIDING),
    "mistral": ("Mistral", t.MistralConfig, _LLAMA | _rope(1e6) | {"sliding_window": 6}),
    "gemma": ("Gemma", t.GemmaConfig, _LLAMA | _rope(3e4) | {"head_dim": 16}),
    "gemma2": (
        "Gemma2",
        t.Gemma2Config,
        _LLAMA | _rope(3e4) | {"head_dim": 16, "sliding_window": 6, "query_pre_attn_scalar": 16},
    ),
    "gemma3": (
        "Gemma3",
        t.Gemma3TextConfig,
        _LLAMA
        | _GEMMA3_ROPE
        | {"head_dim": 16, "sliding_window": 6, "query_pre_attn_scalar": 16}
        | {"layer_types": ["sliding_attention", "full_attention"] * 2},
    ),
    "phi3": ("Phi3", t.Phi3Config, _LLAMA | _rope(5e4, partial_rotary_factor=0.5)),
    "smollm3": ("SmolLM3", t.SmolLM3Config, _LLAMA | _rope(2e6)),
    "gpt2": (
        "GPT2",
        t.GPT2Config,
        {
            **{k: _LLAMA[k] for k in ("vocab_size", "bos_token_id", "eos_token_id")},
            **{"pad_token_id": 2, "n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 256},
            "initializer_range": 0.2,
        },
    ),
    "gpt-neox": ("GPTNeoX", t.GPTNeoXConfig, _BERT | _rope(3e4, partial_rotary_factor=0.5)),
    "opt": (
        "OPT",
        t.OPTConfig,
        {k: v for k, v in _BERT.items() if k not in ("intermediate_size", "initializer_range")}
        | {"ffn_dim": 64, "word_embed_proj_dim": 32, "init_std": 0.2},
    ),
    "bert": ("Bert", t.BertConfig, _BERT),
    "roberta": ("Roberta", t.RobertaConfig, _BERT | {"pad_token_id": 2}),
    "electra": ("Electra", t.ElectraConfig, _BERT | {"embedding_size": 32}),
    "distilbert": (
        "DistilBert",
        t.DistilBertConfig,
        {"vocab_size": VOCABULARY, "dim": 32, "hidden_dim": 64, "n_layers": 3, "n_heads": 4}
        | {"max_position_embeddings": 256, "pad_token_id": 2, "initializer_range": 0.2},
    ),
    "deberta-v2": (
        "DebertaV2",
        t.DebertaV2Config,
        _BERT
        | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16}
        | {"share_att_key": True, "norm_rel_ebd": "layer_norm"},
    ),
    "modernbert": ("ModernBert", t.ModernBertConfig, _BERT | _MODERN | {"local_attention": 8}),
}
ENCODERS = ("bert", "roberta", "electra", "distilbert", "deberta-v2", "modernbert")
_HEADS = {"GPT2": "LMHeadModel", "Gemma3": "ForCausalLM"}


def model(name: str, kind: str) -> Any:
    """A model with random weights; None where the family has none of this kind."""
    prefix, config, options = FAMILIES[name]
    torch.manual_seed(0)
    if kind == "policy":
        if name in ENCODERS:
            return None
        head = _HEADS.get(prefix, "ForCausalLM")
        return getattr(t, prefix + head)(config(**options)).eval()
    single = {"Gemma3": "Gemma3TextForSequenceClassification"}
    found: Callable[..., Any] | None = getattr(
        t, single.get(prefix, f"{prefix}ForSequenceClassification"), None
    )
    return None if found is None else found(config(**options, num_labels=1)).eval()
