"""Kinds of prompts: clusters of their embeddings, each named by the prompt in its middle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.arrays import Floats, Ints
from surefoot.data.text import start_of

#: Prompts that kinds are made of; with more, these are drawn.
_MOST = 20_000


def kinds_of(
    texts: Sequence[str], vectors: Floats, count: int, seed: int
) -> tuple[Ints, list[str]]:
    """The kind of each prompt, (n,), and the names of the kinds, whatever the order of prompts.

    Args:
        texts: of n prompts.
        vectors: (n, D) of them.
        count: how many kinds are asked for; fewer come out where some stay empty.
        seed: of the starts of k-means, and of the prompts drawn.
    """
    from scipy.cluster import vq

    from surefoot.scorers.embeddings.clusters import k_means

    order = np.array(sorted(range(len(texts)), key=texts.__getitem__))
    drawn = np.random.default_rng(seed).permutation(len(order))[:_MOST]
    some = order[np.sort(drawn)]
    centroids = k_means(vectors[some], min(count, len(some)), seed, starts=5)
    kind = vq.vq(vectors, centroids)[0].astype(np.int64)
    middle = some[vq.vq(centroids, vectors[some])[0]]
    return kind, [start_of(texts[i], 60) for i in middle.tolist()]
