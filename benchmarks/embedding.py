"""Embedding texts: what sorting by length and bfloat16 are worth.

    python benchmarks/embedding.py [--texts 400] [--repeats 3]

The same texts of mixed length through the default encoder, without a cache; alternating
repetitions in one process; prints medians, ratios and the smallest cosine to float32.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

import numpy as np
import torch
from transformers.utils import logging

from surefoot.scorers import Encoder, EncoderOptions

WORDS = ["the", "a", "to", "of", "and", "in", "is", "you", "that", "it", "for", "on", "are"]


def texts(count: int) -> list[str]:
    draw = random.Random(0)
    return [
        " ".join(draw.choices(WORDS, k=min(250, int(draw.lognormvariate(4.4, 0.7)))))
        for _ in range(count)
    ]


class Unsorted(Encoder):
    """The same encoder with batches in the order of the texts."""

    @torch.inference_mode()
    def forward(self, tokens, description=""):
        batches = [tokens[i : i + 32] for i in range(0, len(tokens), 32)]
        return np.concatenate([self._pool(batch).float().numpy() for batch in batches])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    given = texts(arguments.texts)
    ways = {
        f"{precision}, {'sorted' if kind is Encoder else 'unsorted'}": kind(
            EncoderOptions(precision=precision)
        )
        for precision in ("float32", "bfloat16")
        for kind in (Unsorted, Encoder)
    }
    vectors, seconds = {}, {name: [] for name in ways}
    for encoder in ways.values():
        _ = encoder.key  # loads the model before the clock runs
    for _ in range(arguments.repeats):
        for name, encoder in ways.items():
            started = time.perf_counter()
            cut = encoder.tokenizer(given, truncation=True, max_length=encoder.limit)
            vectors[name] = encoder.forward(cut["input_ids"], name)
            seconds[name].append(time.perf_counter() - started)
    first = statistics.median(next(iter(seconds.values())))
    reference = next(iter(vectors.values()))
    print(f"{arguments.texts} texts, {torch.get_num_threads()} threads")
    for name, taken in seconds.items():
        median = statistics.median(taken)
        cosine = (vectors[name] * reference).sum(1).min()
        print(
            f"{name:>19}: {arguments.texts / median:6.1f} texts/s, {first / median:4.1f} times; "
            f"smallest cosine {cosine:.5f}"
        )


if __name__ == "__main__":
    main()
