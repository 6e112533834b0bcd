"""Embedding texts: what sorting by length and bfloat16 are worth.

    python -m benchmarks.embedding [--texts 400] [--repeats 3] [--json FILE]

The same texts of mixed length through the default encoder, without a cache; alternating
repetitions in one process; prints medians, ratios and the smallest cosine to float32.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from transformers.utils import logging

from benchmarks.speed import keep
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
        return np.concatenate([self._pool(batch, self.model).float().numpy() for batch in batches])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="a file to put the figures into")
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
    reference = next(iter(vectors.values()))
    name = f"embedding {arguments.texts} texts of mixed length, {torch.get_num_threads()} threads"
    figures = {
        way: {
            "texts_a_second": arguments.texts / statistics.median(taken),
            "smallest_cosine": float((vectors[way] * reference).sum(1).min()),
        }
        for way, taken in seconds.items()
    }
    first = next(iter(figures.values()))["texts_a_second"]
    said = "; ".join(
        f"{way} {one['texts_a_second']:.1f} texts/s, {one['texts_a_second'] / first:.1f} times, "
        f"smallest cosine {one['smallest_cosine']:.5f}"
        for way, one in figures.items()
    )
    print(f"{name}: {said}")
    if arguments.json:
        keep(arguments.json, name, said, figures)


if __name__ == "__main__":
    main()
