"""How much of a flow on a graph is no difference of potentials: Jiang et al. (2011), HodgeRank.

Log-odds of comparisons are a flow on the graph of what was compared. The part nearest to them, by
weighted squares, that is a difference r_i - r_j is their gradient; the rest goes round in circles.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import lsmr
from scipy.special import expit, logit

from surefoot.arrays import ArrayLike, Floats, Ints

_STEPS = 12
#: Penalty on rewards, in votes: whoever won always has no finite reward.
_RIDGE = 0.1


def curl_share(pairs: Ints, flow: Floats, weights: Floats) -> float:
    """Share, in [0, 1], of the weighted squares of a flow that no potentials explain.

    Args:
        pairs: (E, 2) nodes of each edge; the flow is from the second to the first.
        flow: (E,) such as log-odds that the first is preferred.
        weights: (E,) positive, such as numbers of votes.
    """
    scale = np.sqrt(weights)
    whole = float(np.square(scale * flow).sum())
    if not whole > 0:
        return 0.0
    potentials = lsmr(_gradient(pairs, scale), scale * flow, atol=1e-8, btol=1e-8)[0]
    rest = scale * flow - _gradient(pairs, scale) @ potentials
    return float(np.clip(np.square(rest).sum() / whole, 0.0, 1.0))


def smoothed_log_odds(wins: ArrayLike, votes: ArrayLike) -> Floats:
    """Log-odds (...) of shares, with half a vote more for either side (Haldane 1956)."""
    w, n = np.asarray(wins, dtype=np.float64), np.asarray(votes, dtype=np.float64)
    return np.log((w + 0.5) / (n - w + 0.5))


def curl_share_by_chance(
    pairs: Ints, wins: Ints, votes: Ints, draws: int = 20, seed: int = 0
) -> Floats:
    """Curl shares (draws,) of votes drawn from the model of Bradley and Terry fitted to these.

    Args:
        pairs: (E, 2) nodes of each edge.
        wins: (E,) of the first.
        votes: (E,) for either.
        draws: how many data sets are drawn.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    chances = expit(rewards(pairs, wins, votes)[pairs] @ np.array([1.0, -1.0]))
    drawn = rng.binomial(votes, chances, size=(draws, len(votes)))
    weights = votes.astype(np.float64)
    return np.array([curl_share(pairs, smoothed_log_odds(w, votes), weights) for w in drawn])


def rewards(pairs: Ints, wins: Ints, votes: Ints) -> Floats:
    """Rewards (nodes,) of Bradley and Terry's model, with a faint ridge, by Newton's method.

    Each step is least squares of m + (w - n p) / (n p (1 - p)), with weights n p (1 - p).
    """
    count = int(pairs.max(initial=-1)) + 1
    margins, found = np.zeros(len(pairs)), np.zeros(count)
    for _ in range(_STEPS):
        p = np.clip(expit(margins), 1e-6, 1 - 1e-6)
        weights = votes * p * (1 - p)
        target = logit(p) + (wins - votes * p) / weights
        scale = np.sqrt(weights)
        new = lsmr(_gradient(pairs, scale), scale * target, damp=_RIDGE**0.5, x0=found)[0]
        moved = float(np.abs(new - found).max(initial=0.0))
        found, margins = new, new[pairs[:, 0]] - new[pairs[:, 1]]
        if moved < 1e-6:
            break
    return found


def _gradient(pairs: Ints, scale: Floats) -> sparse.csr_array:
    """Matrix (E, nodes) from potentials to scaled differences."""
    rows = np.repeat(np.arange(len(pairs)), 2)
    signs = np.stack([scale, -scale], axis=1).ravel()
    shape = (len(pairs), int(pairs.max(initial=-1)) + 1)
    return sparse.csr_array((signs, (rows, pairs.ravel())), shape=shape)
