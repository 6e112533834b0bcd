"""How far a policy's log-probabilities move where batches have other shapes.

    python -m benchmarks.rounding [--quick] [--output benchmarks/results/rounding.json]

Every model has random weights; its weights' deviation is named, since sharp ones round more. The
log-probabilities of 8 texts are taken alone, and in batches of 2, 4 and 8. What is printed is the
largest difference and its root mean square, in nats per root of a token: the bounds of
`surefoot.scorers.language.precision` stand on them. Takes a minute on one core; needs no network.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from experiments.common import results
from surefoot.scorers.language.batch import lay_out
from surefoot.scorers.language.precision import device_name, per_root_token
from surefoot.scorers.language.scores import autocast, log_probs

TEXTS, BATCHES = 8, (2, 4, 8)
#: Width, layers, vocabulary, deviation of the weights, tokens.
SHAPES = (
    *((32, 2, 400, 0.15, 30), (32, 2, 400, 0.15, 240)),
    *((256, 4, 2_000, 0.02, 60), (256, 4, 2_000, 0.02, 250), (256, 4, 2_000, 0.1, 250)),
    *((128, 12, 2_000, 0.05, 120), (512, 8, 8_000, 0.05, 250)),
    *((64, 2, 152_000, 0.1, 100), (64, 2, 152_000, 0.1, 300)),
)


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small models only")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    options = parser.parse_args(arguments)
    found = list(measured(SHAPES[:3] if options.quick else SHAPES))
    for one in found:
        print(", ".join(f"{name} {value}" for name, value in one.items()), flush=True)
    if options.output:
        made = {"torch": torch.__version__, "device": device_name(torch.device("cpu"))}
        content = {**made, "machine": platform.machine(), "figures": found}
        options.output.write_text(results.written(content))
    return found


def measured(shapes: Sequence[tuple[int, int, int, float, int]]) -> Iterator[dict[str, Any]]:
    for kind in ("llama", "gpt2"):
        for shape in shapes if kind == "llama" else shapes[2:3]:
            for dtype in (None, torch.bfloat16):
                largest, mean = noise(_model(kind, *shape[:4]), shape[4], dtype)
                names = ("width", "layers", "vocabulary", "deviation", "tokens")
                yield {
                    "model": kind,
                    **dict(zip(names, shape, strict=True)),
                    "precision": "float32" if dtype is None else "bfloat16",
                    "largest": float(f"{largest:.2g}"),
                    "root_mean_square": float(f"{mean:.2g}"),
                }


def _model(kind: str, width: int, layers: int, vocabulary: int, deviation: float) -> Any:
    torch.manual_seed(0)
    same = {"vocab_size": vocabulary, "initializer_range": deviation}
    if kind == "gpt2":
        ends = {"bos_token_id": 0, "eos_token_id": 1, "n_positions": 512}
        config = GPT2Config(**same, **ends, n_embd=width, n_layer=layers, n_head=4)
        return GPT2LMHeadModel(config).eval()
    shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers}
    config = LlamaConfig(**same, **shape, num_attention_heads=4, max_position_embeddings=512)
    return LlamaForCausalLM(config).eval()


def noise(model: Any, tokens: int, dtype: torch.dtype | None) -> tuple[float, float]:
    """Largest difference and root mean square, in nats per root of a token."""
    rng = np.random.default_rng(1)
    vocabulary = model.config.vocab_size
    lengths = tokens - rng.integers(0, max(1, tokens // 3), TEXTS)
    texts = [rng.integers(3, vocabulary, n).tolist() for n in lengths]
    pairs = [(t[:1], t[1:], t[1 : 1 + len(t) // 2]) for t in texts]

    def read(size: int) -> torch.Tensor:
        parts = [lay_out(pairs[i : i + size], 0) for i in range(0, TEXTS, size)]
        with torch.no_grad(), autocast(torch.device("cpu"), dtype):
            return torch.cat([log_probs(model, part) for part in parts])

    alone, counts = read(1), lay_out(pairs, 0).lengths
    off = torch.stack([per_root_token(read(size) - alone, counts) for size in BATCHES])
    return float(off.max()), float(off.square().mean().sqrt())


if __name__ == "__main__":
    main()
