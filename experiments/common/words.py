"""What experiments in worlds of words share: noisy labels, and a policy that is taught to write."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from surefoot.data.rendering.messages import GAP
from surefoot.options import Options
from surefoot.runs import claim, is_finished
from surefoot.worlds.language_model import (
    LanguageOptions,
    make_model,
    make_tokenizer,
    plain_copy,
    train_supervised,
)


class NoisyWords(Options):
    """A world of words whose labels are noisy."""

    steepness: float = Field(1.0, gt=0)
    """P(first preferred) is sigma of this times the difference in true reward."""
    flip_rate: float = Field(0.25, ge=0, lt=0.5)
    """Labels flipped at random."""
    supervised: int = Field(3000, ge=100)
    """Responses that the policy to begin with is taught with."""

    def label(self, rng: np.random.Generator, gap: float) -> float:
        """1 where the first response is preferred, else 0: drawn from the truth, then flipped.

        The gap is the true reward of the first response less that of the second.
        """
        prefers = rng.random() < 1 / (1 + np.exp(-self.steepness * gap))
        return float(prefers != (rng.random() < self.flip_rate))


def save_taught(
    folder: Path,
    examples: Sequence[tuple[str, str]],
    options: LanguageOptions,
    seed: int,
    also: Iterable[str] = (),
) -> None:
    """Teach a small model to write such responses, and save it with its tokenizer, unless it is.

    Args:
        folder: where it goes.
        examples: prompts and responses.
        options: of the model.
        seed: of its start and training.
        also: further texts that the tokenizer is made for.
    """
    if is_finished(folder):
        return
    shutil.rmtree(folder, ignore_errors=True)
    texts = [*(prompt + GAP + response for prompt, response in examples), *also]
    tokenizer = make_tokenizer(texts, options.vocabulary)
    model = make_model(tokenizer, options, 64, seed)
    train_supervised(model, tokenizer, examples, options, seed)
    with claim(folder, "experiment") as made:
        made.begin()
        plain_copy(model).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        made.finish(["*"])
