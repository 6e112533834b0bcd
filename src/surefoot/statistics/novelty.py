"""How much of a second sample a first one lacks: by shares of units, and by near neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.arrays import Bools, Floats, Ints
from surefoot.statistics.near_duplicates import independent_size

#: Errors by which a share has to be larger for its unit to be chosen: fewer choose noise, too.
_SURELY = 1.5
#: Rows of distances that are held at once.
_BLOCK = 1024


@dataclass(frozen=True)
class Excess:
    """How much more of a second sample than of a first one has a property."""

    value: float  #: the share in the second less that in the first
    variances: tuple[float, float]  #: of its error, the parts that the two samples bring
    freedom: float  #: degrees of freedom of the error

    @property
    def error(self) -> float:
        """Standard error of the value."""
        return float(np.sqrt(sum(self.variances)))


def moved_share(
    before: Ints,
    after: Ints,
    units: int,
    chooses: tuple[Bools, Bools],
    clumps: tuple[Ints, Ints] | None = None,
    least: float = 0.0,
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
        clumps: (N,) and (M,), equal for members that are nearly the same, which are drawn together,
            and choose together; None: all are drawn alone.
        least: share whose variance is the least that the second sample brings.

    Returns:
        the excess, and A (units,).
    """
    sides = (before, after)
    own = clumps if clumps is not None else (np.arange(len(before)), np.arange(len(after)))
    first, second = (
        np.bincount(unit[choosing], minlength=units) / max(int(choosing.sum()), 1)
        for unit, choosing in zip(sides, chooses, strict=True)
    )
    n, m = (
        max(independent_size(clump[choosing]), 1)
        for clump, choosing in zip(own, chooses, strict=True)
    )
    pooled = (n * first + m * second) / (n + m)
    more = second - first > _SURELY * np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    counted = [more[unit[~choosing]] for unit, choosing in zip(sides, chooses, strict=True)]
    sizes = [
        independent_size(clump[~choosing]) for clump, choosing in zip(own, chooses, strict=True)
    ]
    shares = [float(one.mean()) for one in counted]
    smooth = [(p * size + 2) / (size + 4) for p, size in zip(shares, sizes, strict=True)]
    variances = [p * (1 - p) / (size + 4) for p, size in zip(smooth, sizes, strict=True)]
    return _excess(shares[1] - shares[0], variances, sizes, least), more


def share_beyond(
    reference: Floats,
    distances: Floats,
    outside: float = 0.05,
    clumps: tuple[Ints, Ints] | None = None,
    least: float = 0.0,
) -> Excess:
    """Share of a second sample that lies farther out than all but a share of the first one.

    With distances that treat both alike, such as that to the nearest member of the first sample
    outside the own clump, this is `outside` where both are of one law (conformal prediction: Vovk,
    Gammerman and Shafer 2005). The value is the share beyond that.

    Args:
        reference: (N,) distances of the first sample.
        distances: (M,) of the second.
        outside: share of the first sample that counts as far out.
        clumps: (N,) and (M,), equal for members that are nearly the same, which are drawn together;
            None: all are drawn alone.
        least: share whose variance is the least that the second sample brings.
    """
    n, m = (
        (float(len(reference)), float(len(distances)))
        if clumps is None
        else map(independent_size, clumps)
    )
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
    return _excess(beyond - own, variances, (n, m), least)


def _excess(
    value: float, variances: Sequence[float], sizes: Sequence[float], least: float
) -> Excess:
    """With degrees of freedom of a sum of two variances (Welch and Satterthwaite)."""
    first, second = variances[0], max(variances[1], least * (1 - least) / max(sizes[1], 1))
    parts = sum(v**2 / max(size - 1, 1) for v, size in zip((first, second), sizes, strict=True))
    freedom = (first + second) ** 2 / parts if parts > 0 else min(sizes) - 1
    return Excess(value, (first, second), max(float(freedom), 1.0))


def nearest_distances(
    vectors: Floats, among: Floats, clumps: tuple[Ints, Ints] | None = None
) -> Floats:
    """Euclidean distance (n,) of each vector (n, D) to the nearest of others (m, D).

    Args:
        vectors: whose distances are asked for.
        among: to which.
        clumps: (n,) of each vector and (m,) of each other: those of one clump are not compared, and
            the distance is infinite where all others are.
    """
    squares = np.square(among).sum(1)
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        to = np.square(block).sum(1)[:, None] + squares - 2 * block @ among.T
        if clumps is not None:
            to[clumps[0][start : start + _BLOCK, None] == clumps[1]] = np.inf
        found[start : start + _BLOCK] = to.min(1)
    return np.sqrt(np.maximum(found, 0.0))
