"""Resampling of training prompts: how often each row is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def prompt_bootstrap(
    prompts: npt.NDArray[np.int64], seeds: Sequence[int]
) -> npt.NDArray[np.float64]:
    """Counts (N, K): how often the prompt of each row is drawn, with replacement, by each seed.

    Args:
        prompts: (N,) key of each row's prompt; rows of one prompt are drawn together.
        seeds: K of them.
    """
    _, index = np.unique(prompts, return_inverse=True)
    count = int(index.max()) + 1
    shares = np.full(count, 1 / count)
    draws = [np.random.default_rng(seed).multinomial(count, shares)[index] for seed in seeds]
    return np.stack(draws, axis=1).astype(np.float64)
