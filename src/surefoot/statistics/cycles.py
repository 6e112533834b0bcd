"""Triads that go round in a circle, against what rewards with the same votes would show.

Three responses are compared two by two. The share that goes round is the chance that, of one vote
for each of the three pairs, all go the same way round. Under the model of Bradley and Terry,
P(i beats j) = sigma(r_i - r_j), how often each of the three won is a sufficient statistic:
given that, the votes w of the three pairs, taken round the circle, are w + d with chances in
proportion to C(n_1, w_1 + d) C(n_2, w_2 + d) C(n_3, w_3 + d), whatever the rewards. So what is
expected is known exactly, and no reward has to be estimated. Where each pair has one vote, a triad
that goes round may go either way, and nothing follows from it.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from surefoot.arrays import Floats, Ints

#: Triads beyond this are left out at random.
MOST = 200_000


def circular(wins: Ints, votes: Ints) -> Floats:
    """Share (...) of triples of votes that go round: wins (..., 3) round the circle, of votes."""
    share = wins / votes
    return share.prod(-1) + (1 - share).prod(-1)


def expected_circular(wins: Ints, votes: Ints) -> Floats:
    """The share (T,) that Bradley and Terry expect, given how often each of the three won.

    Args:
        wins: (T, 3) of the first over the second, the second over the third, the third over the
            first.
        votes: (T, 3) on these pairs, at least 1 each.
    """
    cases, of_case = np.unique(np.hstack([wins, votes]), axis=0, return_inverse=True)
    found = np.empty(len(cases))
    for case, row in enumerate(cases):
        w, n = row[:3], row[3:]
        d = np.arange(-int(w.min()), int((n - w).min()) + 1)[:, None]
        logs = (gammaln(n + 1) - gammaln(w + d + 1) - gammaln(n - w - d + 1)).sum(1)
        chances = np.exp(logs - logs.max())
        found[case] = chances @ circular(w + d, n) / chances.sum()
    return found[of_case.reshape(-1)]


def triads(pairs: Ints, most: int = MOST, seed: int = 0) -> tuple[Ints, Ints]:
    """Triangles in a graph whose edges are distinct pairs of nodes.

    Args:
        pairs: (E, 2) nodes of each edge, the smaller number first.
        most: so many at most, drawn so that each triangle has the same chance.
        seed: of the draw.

    Returns:
        edges (T, 3) of each triangle i < j < k by position: ij, jk, ik; and nodes (T, 3).
    """
    position = {edge: e for e, edge in enumerate(map(tuple, pairs.tolist()))}
    near: dict[int, set[int]] = {}
    for i, j in position:
        near.setdefault(i, set()).add(j)
        near.setdefault(j, set()).add(i)
    rank = np.random.default_rng(seed).permutation(len(pairs))
    edges: list[tuple[int, int, int]] = []
    nodes: list[list[int]] = []
    for e in np.argsort(rank).tolist():  # each triangle is met first at its edge of lowest rank
        i, j = pairs[e].tolist()
        for k in sorted(near[i] & near[j]):
            first, second, third = three = sorted((i, j, k))
            sides = (
                position[first, second],
                position[second, third],
                position[first, third],
            )
            if rank[e] == rank[list(sides)].min():
                edges.append(sides)
                nodes.append(three)
        if len(edges) >= most:
            break
    shape = (-1, 3)
    return (
        np.array(edges[:most], dtype=np.int64).reshape(shape),
        np.array(nodes[:most], dtype=np.int64).reshape(shape),
    )
