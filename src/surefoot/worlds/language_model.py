"""A small language model, made in the run: a tokenizer, a model, and supervised training by TRL."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field

from surefoot.data.rendering.messages import GAP
from surefoot.options import Options

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PAD, BEGIN, END = "<pad>", "<s>", "</s>"


class LanguageOptions(Options):
    """The language model and its supervised training."""

    vocabulary: int = Field(2048, ge=300)
    """Tokens of the tokenizer, bytes and special tokens among them."""
    width: int = Field(64, ge=8)
    """Width of the hidden states."""
    layers: int = Field(2, ge=1)
    """Layers of the transformer."""
    heads: int = Field(4, ge=1)
    """Heads of attention."""
    epochs: float = Field(6.0, gt=0)
    """Passes over prompts and responses in supervised training."""
    batch: int = Field(8, ge=1)
    """Responses in an optimiser step."""
    learning_rate: float = Field(6e-3, gt=0)
    """At its highest, of a cosine schedule."""


def make_tokenizer(
    texts: Iterable[str], vocabulary: int, begin: bool = True
) -> PreTrainedTokenizerFast:
    """Byte-level BPE, trained on these texts: what it writes is read back to the letter.

    The vocabulary counts bytes and special tokens; `begin` writes a token before every text.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, BEGIN, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BEGIN, eos_token=END
    )


def make_llama(tokenizer: PreTrainedTokenizerFast, seed: int, **shape: Any) -> PreTrainedModel:
    """A Llama with random weights for this tokenizer; `shape` goes to its configuration."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **shape,
        )
    )


def make_model(
    tokenizer: PreTrainedTokenizerFast, options: LanguageOptions, longest: int, seed: int
) -> PreTrainedModel:
    """The demo's Llama, for texts of at most `longest` tokens."""
    return make_llama(
        tokenizer,
        seed,
        hidden_size=options.width,
        intermediate_size=8 * options.width // 3,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        max_position_embeddings=longest,
        tie_word_embeddings=True,
    )


def train_supervised(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[tuple[str, str]],
    options: LanguageOptions,
    seed: int,
) -> list[float]:
    """Train on (prompt, response) with TRL's SFTTrainer; the logged losses, in nats a token.

    The loss is of the responses alone. Take a :func:`plain_copy` of the model afterwards: TRL
    leaves a forward pass on it that belongs to this object, in copies too.
    """
    prompts, responses = zip(*examples, strict=True)
    logged = supervise(
        model,
        tokenizer,
        {"prompt": list(prompts), "completion": [GAP + response for response in responses]},
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch,
        learning_rate=options.learning_rate,
        adam_beta2=0.98,
        max_length=None,
        seed=seed,
        logging_steps=1,
        train_sampling_strategy="group_by_length",
    )
    model.eval()
    return [log["loss"] for log in logged if "loss" in log]


def supervise(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    columns: Mapping[str, list[str]],
    held_out: Mapping[str, list[str]] | None = None,
    **arguments: Any,
) -> list[dict[str, float]]:
    """Train a model with TRL's SFTTrainer, under a cosine schedule; returns what it logged.

    Columns are texts, or prompts and completions, as TRL takes them, and `arguments` of SFTConfig.
    Nothing is saved.
    """
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    fixed = {"lr_scheduler_type": "cosine", "warmup_steps": 20, "gradient_checkpointing": False}
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(output_dir=folder, **(fixed | quiet_on_this_machine() | arguments)),
            train_dataset=Dataset.from_dict(columns),
            eval_dataset=None if held_out is None else Dataset.from_dict(held_out),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        if held_out is not None:
            trainer.evaluate()
    return list(trainer.state.log_history)


def plain_copy(model: PreTrainedModel) -> PreTrainedModel:
    """A new model with the same weights, that keeps its cache when it writes (TRL forbids that)."""
    config = copy.deepcopy(model.config)
    config.use_cache = True
    made: PreTrainedModel = type(model)(config)
    made.load_state_dict(model.state_dict())
    return made.to(model.device)


def quiet_on_this_machine() -> dict[str, Any]:
    """Arguments of any trainer of transformers: this machine's device and precision, no traces."""
    return {
        "use_cpu": not torch.cuda.is_available(),
        "bf16": False,  # at this size slower than float32, on processors that have it too
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
