"""How much of a second sample a first one lacks: by shares of units, and by near neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Bools, Floats, Ints

#: Errors by which a share has to be larger for its unit to be chosen: fewer choose noise, too.
_SURELY = 1.5
#: Rows of distances that are held at once.
_BLOCK = 1024


@dataclass(frozen=True)
class Excess:
    """How much more of a second sample than of a first one has a property."""

    value: float  #: the share in the second less that in the first
    error: float  #: its standard error
    freedom: float  #: degrees of freedom of the error


def moved_share(
    before: Ints, after: Ints, units: int, chooses: tuple[Bools, Bools]
) -> tuple[Excess, Bools]:
    """Share of the second sample that would have to change units for both to be of one law.

    An estimate from below of the total variation between two laws, sup_A Q(A) - P(A): the set A of
    units of which the second sample has more, by 1.5 standard errors, is chosen by some members,
    and measured on the others, so that what is chosen by chance adds nothing in the mean. Units are
    fixed beforehand, or made from both samples without knowing which is whose. Errors are those of
    shares with two of each kind added (Agresti and Caffo 2000, who add one): none is certain.

    Args:
        before: (N,) units of the first sample's members, in [0, units).
        after: (M,) those of the second's.
        units: how many there are.
        chooses: whether a member chooses, (N,) and (M,), else it is counted.

    Returns:
        the excess, and A (units,).
    """
    own, theirs = (
        np.bincount(unit[choosing], minlength=units)
        for unit, choosing in zip((before, after), chooses, strict=True)
    )
    n, m = max(own.sum(), 1), max(theirs.sum(), 1)
    pooled = (own + theirs) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    more = theirs / m - own / n > _SURELY * error
    counted = [
        more[unit[~choosing]] for unit, choosing in zip((before, after), chooses, strict=True)
    ]
    sizes = [len(one) for one in counted]
    shares = [(int(one.sum()) + 2) / (len(one) + 4) for one in counted]
    variances = [p * (1 - p) / (size + 4) for p, size in zip(shares, sizes, strict=True)]
    value = float(counted[1].mean() - counted[0].mean())
    return Excess(value, float(np.sqrt(sum(variances))), _freedom(variances, sizes)), more


def share_beyond(reference: Floats, distances: Floats, outside: float = 0.05) -> Excess:
    """Share of a second sample that lies farther out than all but a share of the first one.

    With distances that treat both alike, such as that to the nearest *other* member of the first
    sample, this is `outside` where both are of one law (conformal prediction: Vovk, Gammerman and
    Shafer 2005). The value is the share beyond that.

    Args:
        reference: (N,) distances of the first sample.
        distances: (M,) of the second.
        outside: share of the first sample that counts as far out.
    """
    n, m = len(reference), len(distances)
    shares = [1 - 2 * outside, 1 - outside, 1 - outside / 2]
    inner, threshold, outer = np.quantile(reference, shares, method="higher")
    beyond = float((distances > threshold).mean())
    own = float((reference > threshold).mean())
    # The threshold is itself an estimate: how many it moves past, if it is off, depends on how much
    # denser the second sample lies around it.
    around = float(((distances > inner) & (distances <= outer)).mean()) / (1.5 * outside)
    variances = [
        max(around, 1.0) ** 2 * outside * (1 - outside) / n,
        beyond * (1 - beyond) / max(m - 1, 1),
    ]
    error = float(np.sqrt(sum(variances)))
    return Excess(beyond - own, error, _freedom(variances, (n, m)))


def _freedom(variances: Sequence[float], sizes: Sequence[int]) -> float:
    """Degrees of freedom of a sum of two variances (Welch and Satterthwaite)."""
    parts = sum(v**2 / max(size - 1, 1) for v, size in zip(variances, sizes, strict=True))
    return max(sum(variances) ** 2 / parts, 1.0) if parts > 0 else float(min(sizes) - 1)


def nearest_distances(vectors: Floats, among: Floats, own: Ints | None = None) -> Floats:
    """Euclidean distance (n,) of each vector (n, D) to the nearest of others (m, D).

    Args:
        vectors: whose distances are asked for.
        among: to which.
        own: (n,) the position of each vector among the others, which it is not compared with.
    """
    squares = np.square(among).sum(1)
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        to = np.square(block).sum(1)[:, None] + squares - 2 * block @ among.T
        if own is not None:
            to[np.arange(len(block)), own[start : start + _BLOCK]] = np.inf
        found[start : start + _BLOCK] = to.min(1)
    return np.sqrt(np.maximum(found, 0.0))
