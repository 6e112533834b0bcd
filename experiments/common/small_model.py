"""A small causal language model from nothing: tokenizer, weights, supervised training by TRL."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from pydantic import Field

from surefoot.options import Options
from surefoot.runs.atomic import write_text
from surefoot.scorers.processor import has_bfloat16
from surefoot.worlds.language_model import make_llama, make_tokenizer, supervise


class SmallModel(Options):
    """A Llama and how it is trained on text."""

    vocabulary: int = Field(2048, ge=300)
    """Tokens of the byte-level BPE, bytes and special tokens among them."""
    width: int = 128
    intermediate: int = 352
    layers: int = 4
    heads: int = 4
    block: int = 256
    """Texts are put one behind the other and cut into blocks of this many tokens."""
    epochs: float = 4.0
    batch: int = 16
    learning_rate: float = 3e-3


def make_small_model(
    texts: list[str], held_out: list[str], options: SmallModel, seed: int, folder: Path
) -> dict[str, Any]:
    """Train a model on texts, save it with its tokenizer, and say how it went.

    `small-model.json` is written last, so a folder that holds it is whole.
    """
    known = folder / "small-model.json"
    if known.is_file():
        found: dict[str, Any] = json.loads(known.read_text())
        return found
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = make_tokenizer(texts, options.vocabulary)
    model = make_llama(
        tokenizer,
        seed,
        hidden_size=options.width,
        intermediate_size=options.intermediate,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    log = supervise(
        model,
        tokenizer,
        {"text": texts},
        {"text": held_out},
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch,
        per_device_eval_batch_size=options.batch,
        learning_rate=options.learning_rate,
        packing=True,
        packing_strategy="wrapped",
        max_length=options.block,
        seed=seed,
        logging_steps=50,
        logging_first_step=True,
        bf16=has_bfloat16(),
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    summary = {
        "parameters": model.num_parameters(),
        "texts": len(texts),
        "first_loss": next(one["loss"] for one in log if "loss" in one),
        "held_out_loss": next(one["eval_loss"] for one in reversed(log) if "eval_loss" in one),
        "chance_loss": math.log(len(tokenizer)),
    }
    write_text(known, json.dumps(summary))
    return summary
