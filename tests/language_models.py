"""Small language models and tokenizers made on the spot: random weights, real architectures."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from encoders import WORDS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    OPTConfig,
    OPTForCausalLM,
)
from transformers import PreTrainedTokenizerFast as FastTokenizer

from surefoot.columns import DECLARED

#: Rows of every embedding table: more than the tokenizers have tokens.
VOCABULARY = 400

CHAT = (
    "{% for m in messages %}"
    "{% if m['content'] == 'forbidden' %}{{ raise_exception('no such turn') }}{% endif %}"
    "<s>{{ m['role'] }}: {{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


@cache
def _bytes(special: tuple[str, ...]) -> str:
    """A byte-level BPE that knows our words and blank lines."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*(f" {w}" for w in WORDS), "\n\n", "\n\n", "\n\n"], trainer)
    return tokenizer.to_str()


def byte_tokenizer(
    chat: str | None = None, pad: str | None = "<pad>", bos: bool = True, reserved: str = ""
) -> FastTokenizer:
    """A tokenizer that writes `<s>` before a text (`bos`), and nothing behind it."""
    special = [s for s in ("<s>", "</s>", pad, reserved) if s]
    tokenizer = Tokenizer.from_str(_bytes(tuple(dict.fromkeys(special))))
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    names = {"bos_token": "<s>"} if bos else {}
    fast = FastTokenizer(tokenizer_object=tokenizer, eos_token="</s>", pad_token=pad, **names)
    fast.chat_template = chat
    return fast


def bert_tokenizer() -> FastTokenizer:
    """One that closes a text with `[SEP]`."""
    tokenizer = Tokenizer.from_str(_bytes(("[PAD]", "[CLS]", "[SEP]")))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return FastTokenizer(
        tokenizer_object=tokenizer, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


_SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_LLAMA = {**_SHAPE, "intermediate_size": 64, "max_position_embeddings": 256}
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}
_OPT = {**_SHAPE, "ffn_dim": 64, "word_embed_proj_dim": 32, "max_position_embeddings": 256}


def _made(model: type, config: type, shape: dict[str, Any], seed: int, **options: Any) -> Any:
    torch.manual_seed(seed)
    wide = {"initializer_range": 0.15}  # so that sequences differ in their scores
    return model(config(**{"vocab_size": VOCABULARY, **shape, **wide, **options})).eval()


def llama(seed: int = 0, **options: Any) -> LlamaForCausalLM:
    return _made(LlamaForCausalLM, LlamaConfig, _LLAMA, seed, **options)


def gpt2(seed: int = 0, **options: Any) -> GPT2LMHeadModel:
    """Learned positions."""
    return _made(GPT2LMHeadModel, GPT2Config, _GPT2, seed, **options)


def opt(seed: int = 0, **options: Any) -> OPTForCausalLM:
    """Dropout inside its layers' own forward."""
    return _made(OPTForCausalLM, OPTConfig, _OPT, seed, **options)


def llama_reward(seed: int = 0, **options: Any) -> LlamaForSequenceClassification:
    options = {"num_labels": 1, **options}
    return _made(LlamaForSequenceClassification, LlamaConfig, _LLAMA, seed, **options)


def gpt2_reward(seed: int = 0, **options: Any) -> GPT2ForSequenceClassification:
    options = {"num_labels": 1, **options}
    return _made(GPT2ForSequenceClassification, GPT2Config, _GPT2, seed, **options)


def bert_reward(seed: int = 0, **options: Any) -> BertForSequenceClassification:
    options = {"num_labels": 1, **options}
    return _made(BertForSequenceClassification, BertConfig, _LLAMA, seed, **options)


def pairs(n: int, seed: int = 0, **columns: Any) -> list[dict[str, Any]]:
    """Comparisons of different lengths under the contract; the better response says `good`.

    They have a number in each column that some member declares.
    """
    declared = {k: [c.example, min(c.example + 1, c.high)] for k, c in DECLARED.items()}
    columns = declared | columns
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (1,), generator=generator))

    def text(word: str) -> str:
        return " ".join([word, *(WORDS[draw(0, len(WORDS))] for _ in range(draw(1, 8)))])

    made = []
    for i in range(n):
        good_first = draw(0, 2) == 1
        words = ("good", "bad") if good_first else ("bad", "good")
        made.append(
            {
                "prompt": f"question {i} " + text("is"),
                "response_a": text(words[0]),
                "response_b": text(words[1]),
                "label": float(good_first),
                **{k: v[i % len(v)] if isinstance(v, list) else v for k, v in columns.items()},
            }
        )
    return made


def save(folder: Path, model: Any, tokenizer: FastTokenizer) -> str:
    """Model and tokenizer in one folder, as the hub has them."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
