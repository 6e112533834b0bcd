"""Which rows depend on each other, and what that does to the error of a mean.

Rows depend on each other where they share something: a prompt (one cluster id per row), or a
response, when pairs come from a tournament (two node ids per row, one for each response).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from surefoot.arrays import ArrayLike, Floats, Ints

#: Below this number of clusters no interval is given: none keeps its promise there.
FEWEST_CLUSTERS = 10


@dataclass(frozen=True)
class Dependence:
    """Rows that share clusters."""

    ids: Ints  #: cluster ids numbered from 0, shape (N, 1), or (N, 2) for pairs of nodes
    count: int  #: number of clusters (or nodes)
    incidence: Any  #: (count, N) matrix, 1 where the row belongs to the cluster
    #: (pairs of nodes, N) matrix, 1 where the row joins these two distinct nodes; None for one-way
    #: clusters
    repeats: Any

    @classmethod
    def of(cls, clusters: ArrayLike | None, n: int) -> Dependence:
        """Number the clusters of n rows: None (all independent), shape (n,), or shape (n, 2).

        Raises:
            ValueError: `clusters` has another shape, or an id is NaN.
        """
        raw = np.arange(n) if clusters is None else np.asarray(clusters)
        if raw.shape not in {(n,), (n, 2)}:
            raise ValueError(
                f"clusters have shape ({n},), or ({n}, 2) for pairs of nodes; got {raw.shape}."
            )
        if raw.dtype.kind == "f" and np.isnan(raw).any():
            raise ValueError("a cluster is NaN: rows without one need an id of their own.")
        unique, flat = np.unique(raw, return_inverse=True)
        ids = flat.reshape(n, -1).astype(np.int64)
        rows = np.repeat(np.arange(n), ids.shape[1])
        incidence = _ones(ids.ravel(), rows, (len(unique), n))
        repeats = None
        if ids.shape[1] == 2:
            proper = np.flatnonzero(ids[:, 0] != ids[:, 1])
            key = np.sort(ids[proper], axis=1) @ np.array([len(unique), 1])
            pairs, dyad = np.unique(key, return_inverse=True)
            repeats = _ones(dyad.ravel(), proper, (len(pairs), n))
        return cls(ids, len(unique), incidence, repeats)

    @property
    def independent(self) -> int:
        """A number of rows that share nothing: clusters, or half the nodes of a tournament."""
        return self.count // int(self.ids.shape[1])

    def gram(self, residuals: Floats) -> Floats:
        """Sum of e_i e_j' over all pairs of rows that share a cluster: (K, K) from (N, K).

        For one-way clusters the usual cluster-robust meat; for pairs of nodes the dyadic-robust
        one of Aronow, Samii and Assenova (Political Analysis 2015): over nodes, less the pairs of
        rows that share both nodes and were counted twice.
        """
        sums = self.incidence @ residuals
        meat = sums.T @ sums
        if self.repeats is not None:
            twice = self.repeats @ residuals
            meat = meat - twice.T @ twice
        return np.asarray(meat, dtype=np.float64)

    def third(self, residuals: Floats) -> float:
        """Third cumulant of the sum of residuals, shape (N,); 0 for pairs of nodes.

        Nodes add to it through triples of pairs, which are not counted here.
        """
        return 0.0 if self.repeats is not None else float(((self.incidence @ residuals) ** 3).sum())

    def leverage(self, weights: Floats) -> Floats:
        """Factor that makes up for each residual being drawn to the mean, shape (N,).

        A row whose clusters hold shares h of all weight gets prod (1 - h)^(-1/2): for one-way
        clusters exactly the CR2 correction of Bell and McCaffrey (2002) for a mean; for a complete
        tournament of n nodes it removes the bias 1 - 4/n of the dyadic variance up to 1/n^2.
        Infinite where one cluster holds everything.
        """
        shares = np.minimum(self.incidence @ weights / weights.sum(), 1.0)
        with np.errstate(divide="ignore"):
            logs = np.log1p(-shares)
        return np.asarray(np.exp(-0.5 * (self.incidence.T @ logs)), dtype=np.float64)

    def degrees_of_freedom(self, weights: Floats, residuals: Floats) -> float:
        """Degrees of freedom of the variance of a mean (Imbens and Kolesar 2016).

        Satterthwaite's number under equal correlation inside clusters, estimated from the
        residuals: `count - 1` for clusters of equal size, fewer where few clusters dominate.
        """
        squares = weights**2
        alone = self.incidence @ squares
        whole = (self.incidence @ weights) ** 2
        scale = (residuals**2).sum() / squares.sum()
        between = float((whole - alone).sum())
        rho = 0.0
        if between > 0 and scale > 0:
            sums = (self.incidence @ residuals) ** 2 - self.incidence @ residuals**2
            rho = float(np.clip(sums.sum() / between / scale, 0.0, 1.0))
        variances = alone + rho * (whole - alone)
        return float(variances.sum() ** 2 / (variances**2).sum() - 1)


def _ones(rows: Ints, columns: Ints, shape: tuple[int, int]) -> Any:
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    matrix.data[:] = 1.0  # a pair of a node with itself belongs to that node once
    return matrix


@dataclass(frozen=True)
class Spread:
    """A weighted mean, its standard error, and what is known of that error."""

    mean: float  #: the mean
    error: float  #: its standard error
    freedom: float  #: degrees of freedom of the error
    #: of the mean: third cumulant over error^3, at most 1 in size (one cluster is everything); 0
    #: where it may be that of a symmetric law
    skewness: float = 0.0


def spread(values: Floats, dependence: Dependence, weights: Floats) -> Spread:
    """Mean and cluster-robust (or dyadic-robust) standard error of values, shape (N,).

    Weights are not negative, not all 0; their unit does not count.
    """
    weights = in_one_unit(weights)
    total = weights.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        centre = float(weights @ values / total)
    if not np.isfinite(centre):  # the sum is beyond floating point, the mean is not
        centre = float(weights / total @ values)
    with np.errstate(over="ignore"):
        residuals = weights * (values - centre) / total
    factor = dependence.leverage(weights)
    if not np.isfinite(factor).all():
        return Spread(centre, float("inf"), 0.0)
    unit = float(np.abs(residuals).max())  # the squares of huge and of tiny values are no numbers
    if not unit < np.inf:
        return Spread(centre, float("nan"), 0.0)
    unit = unit or 1.0
    scaled = (residuals / unit * factor)[:, None]
    variance = float(dependence.gram(scaled)[0, 0])
    alone = float((scaled**2).sum())
    # The dyadic form can be negative, and cluster sums can cancel exactly: neither is certainty.
    if dependence.repeats is not None or variance <= 1e-9 * alone:
        variance = max(variance, alone)
    freedom = dependence.degrees_of_freedom(weights, residuals / unit)
    error = float(np.sqrt(variance))
    third = dependence.third(scaled[:, 0]) / error**3 if error > 0 else 0.0
    return Spread(centre, error * unit, freedom, skewness_of(third, freedom + 1))


def in_one_unit(weights: Floats) -> Floats:
    """Weights (N,), not negative, of which the largest is 1."""
    return weights / (float(weights.max(initial=0.0)) or 1.0)


def skewness_of(third: float, clusters: float) -> float:
    """Skewness of a mean from its third cumulant in errors, or 0 where symmetric laws give as much.

    The third cumulant of n clusters is too small by (n - 2) / sqrt(n (n - 1)) (Joanes and Gill
    1998), and of a normal law its deviation is sqrt(6) / n: below 1.5 of these it counts as 0.
    """
    n = max(clusters, 3.0)
    corrected = third * np.sqrt(n * (n - 1)) / (n - 2)
    return float(np.clip(corrected, -1.0, 1.0)) if abs(third) > 1.5 * np.sqrt(6) / n else 0.0


def check(values: ArrayLike, weights: ArrayLike | None, level: float) -> tuple[Floats, Floats]:
    """Values and weights as finite float vectors of equal length, for an interval of this level.

    Raises:
        ValueError: a wrong shape, a value that is not finite, a weight that is not positive, or a
            level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, such as 0.95; got {level!r}.")
    v = np.asarray(values, dtype=np.float64)
    if v.ndim != 1:
        raise ValueError(f"values have shape (N,); got {v.shape}.")
    if not np.isfinite(v).all():
        first = int(np.flatnonzero(~np.isfinite(v))[0])
        raise ValueError(f"values must be finite; got {v[first]} at position {first}.")
    w = np.ones(len(v)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != v.shape or not np.isfinite(w).all() or (w < 0).any() or (len(w) and not w.any()):
        raise ValueError(f"weights are finite, not negative, not all 0, of shape {v.shape}.")
    return v, w / w.max() if len(w) else w
