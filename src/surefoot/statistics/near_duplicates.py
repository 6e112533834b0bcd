"""Which members of a sample are nearly the same, and how many are independent then."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from surefoot.arrays import Floats, Ints

#: Rows of distances that are held at once.
_BLOCK = 256


def linked(vectors: Floats, within: float, together: Ints | None = None) -> Ints:
    """Clumps of members between which steps lead that are no longer than a distance.

    They are the clusters of single linkage (Sibson, The Computer Journal 1973), cut there. Time
    grows with the square of the members, memory does not.

    Args:
        vectors: (n, D) of the members.
        within: Euclidean length of a step, at most.
        together: (n,) equal for members that are in one clump however far apart.

    Returns:
        the number of each member's clump, (n,), from 0 on.
    """
    start_at = np.arange(len(vectors)) if together is None else together
    clumps: Ints = np.unique(start_at, return_inverse=True)[1]
    squares = np.square(vectors).sum(1)
    for start in range(0, len(vectors), _BLOCK):
        block, rest = vectors[start : start + _BLOCK], vectors[start:]
        to = squares[start : start + _BLOCK, None] + squares[start:] - 2 * block @ rest.T
        i, j = np.nonzero(to <= within**2)
        one, other = clumps[start + i], clumps[start + j]
        apart = one != other
        if apart.any():
            count = int(clumps.max()) + 1
            steps = (np.ones(int(apart.sum())), (one[apart], other[apart]))
            graph = sparse.coo_array(steps, shape=(count, count))
            clumps = csgraph.connected_components(graph, directed=False)[1].astype(np.int64)[clumps]
    return clumps


def independent_size(clumps: Ints) -> float:
    """n^2 / sum_c n_c^2: as how many independent members n count whose clumps (n,) are all alike.

    Kish (Survey Sampling, 1965), the design effect where members of a cluster say the same.
    """
    sizes = np.unique(clumps, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum()) if len(sizes) else 0.0
