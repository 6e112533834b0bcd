"""Calibration of preference probabilities, blind to how pairs were ordered.

Data written chosen-first has only the label 1, and a calibration against it says nothing. So each
pair is folded: the confidence max(p, 1 - p) of the predicted winner against whether it won.

The usual binned error is biased upwards: for a perfect model it reads .07 at 221 pairs. The mean
*square* of the gaps can be debiased by taking off the variance of each gap (Kumar, Liang and Ma,
NeurIPS 2019); it is 0 on average for a model that is perfect on each bin, and can be negative.
Its 95 % interval held the truth 93 to 97 % of the time at 80, 221 and 1,000 pairs, for a perfect
and for two overconfident models (400 draws each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.statistics.dependence import FEWEST_CLUSTERS, Dependence
from surefoot.statistics.estimate import Estimate, Result, Scope, written
from surefoot.statistics.intervals import mean, quantile
from surefoot.statistics.ranges import SHARE, Range
from surefoot.statistics.ties import side_of_half

#: Lowest probability of an outcome that log-loss counts with: the machine epsilon.
FLOOR = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class ReliabilityBin(Result):
    """Pairs of similar confidence."""

    low: float  #: smallest confidence in the bin
    high: float  #: largest confidence in the bin
    confidence: float  #: mean confidence in the predicted winner
    accuracy: Estimate  #: how often the predicted winner won; its `n` is the number of pairs


@dataclass(frozen=True)
class Calibration(Result):
    """How far confidence is from accuracy."""

    error: Estimate  #: mean squared gap over bins, debiased: 0 on average for a perfect model
    #: the usual expected calibration error (mean absolute gap), which is biased; its note says what
    #: a perfectly calibrated model would show here. It has no interval.
    binned: Estimate
    overconfidence: Estimate  #: mean confidence minus accuracy
    bins: tuple[ReliabilityBin, ...]  #: the reliability table, by rising confidence


def calibration(
    probabilities: ArrayLike,
    outcomes: ArrayLike,
    clusters: ArrayLike | None = None,
    bins: int = 10,
    level: float = 0.95,
    covers: str = "test items",
) -> Calibration:
    """Calibration error and reliability table on bins of equal numbers of pairs.

    Of P(a preferred), shape (N,), and labels that are 1, 0, 0.5 or soft, shape (N,): a tie counts
    half for the predicted winner. There are fewer bins where one would hold fewer than 10 clusters.
    `clusters`, `level` and `covers` are those of :func:`~surefoot.statistics.intervals.mean`.

    Raises:
        ValueError: shapes that do not agree, or values outside [0, 1].
    """
    p, y = probabilities_and_labels(probabilities, outcomes)
    n = len(p)
    if n == 0:
        nothing = Scope(0, covers, level).refused(None, "there are no values")
        return Calibration(nothing, nothing, nothing, ())
    confidence = np.maximum(p, 1 - p)
    sides = side_of_half(p)
    won = np.where(sides > 0, y, np.where(sides < 0, 1 - y, 0.5))
    dependence = Dependence.of(clusters, n)
    ids = np.arange(n) if clusters is None else np.asarray(clusters)
    bin_of = _bins(confidence, max(1, min(bins, dependence.count // FEWEST_CLUSTERS)))
    gaps, covariance, share = _gaps(confidence - won, bin_of, dependence)
    table = tuple(
        ReliabilityBin(
            low=float(confidence[rows].min()),
            high=float(confidence[rows].max()),
            confidence=float(confidence[rows].mean()),
            accuracy=mean(won[rows], ids[rows], None, level, covers, SHARE),
        )
        for rows in (np.flatnonzero(bin_of == b) for b in range(len(gaps)))
    )
    expected = float(share @ np.sqrt(np.maximum(np.diag(covariance), 0) * 2 / np.pi))
    note = "biased upwards"
    if np.isfinite(expected):
        note += f": a perfectly calibrated model would show about {written(expected)} here"
    return Calibration(
        error=_debiased(gaps, covariance, share, dependence, Scope(n, covers, level, SHARE.ends)),
        binned=Scope(n, covers, level).refused(float(share @ np.abs(gaps)), note),
        overconfidence=mean(
            confidence - won, clusters, None, level, covers, Range(confidence - 1, confidence)
        ),
        bins=table,
    )


def _bins(confidence: Floats, count: int) -> Ints:
    """Bin of each pair, numbered from 0 without gaps: equal numbers, equal confidences together."""
    edges = np.quantile(confidence, np.linspace(0, 1, count + 1)[1:-1])
    found = np.searchsorted(np.unique(edges), confidence, side="left")
    return np.asarray(np.unique(found, return_inverse=True)[1], dtype=np.int64)


def _gaps(residuals: Floats, bin_of: Ints, dependence: Dependence) -> tuple[Floats, Floats, Floats]:
    """Mean residual of each bin (B,), covariance of these means (B, B), share of pairs (B,)."""
    count = int(bin_of.max()) + 1
    inside = (bin_of[:, None] == np.arange(count)).astype(np.float64)
    sizes = inside.sum(axis=0)
    gaps = residuals @ inside / sizes
    centred = inside * (residuals[:, None] - gaps) / sizes
    for b in range(count):
        rows = inside[:, b] > 0
        with np.errstate(invalid="ignore"):  # a bin of one row, or inside one cluster
            centred[rows, b] *= dependence.leverage(inside[:, b])[rows]
    if np.isfinite(centred).all():
        covariance = dependence.gram(centred)
    else:
        covariance = np.full((count, count), np.nan)
    return gaps, covariance, sizes / sizes.sum()


def _debiased(
    gaps: Floats, covariance: Floats, share: Floats, dependence: Dependence, scope: Scope
) -> Estimate:
    """Unbiased estimate of t = sum share * gap^2, with a score interval within [0, 1].

    With gaps ~ N(delta, Sigma) and W = diag(share), the variance of the estimate is
    4 delta' W Sigma W delta + 2 tr(W Sigma W Sigma), which is 4 t lambda + noise for some mean
    lambda of the eigenvalues of Sigma W: the interval holds each t within such errors as a t
    quantile says, each error taken at its own t, as Wilson's does.
    """
    raw = float(share @ gaps**2)
    if dependence.count < FEWEST_CLUSTERS or not np.isfinite(covariance).all():
        reason = f"too few clusters ({dependence.count}) to debias; this is the biased value"
        return scope.refused(raw, reason)
    estimate = float(share @ (gaps**2 - np.diag(covariance)))
    weighted = share[:, None] * covariance
    noise = 2 * float(np.trace(weighted @ weighted))
    direction = share * gaps
    scale = float(direction @ covariance @ direction) / raw if raw > 0 else 0.0
    t2 = quantile(dependence.count - len(gaps), scope.level) ** 2
    centre = estimate + 2 * scale * t2
    reach = float(np.sqrt(max(centre**2 - estimate**2 + t2 * noise, 0.0)))
    return Estimate(estimate, centre - reach, centre + reach, *scope[:3], within=scope.within)


def log_loss(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """Cross-entropy of each item in nats, shape (N,), of P(a preferred) and its label, soft or not.

    A certainty that was wrong costs 36.04 nats, not infinity: probabilities are kept
    :data:`FLOOR` away from 0 and 1, so every loss lies in [0, -log FLOOR].

    Raises:
        ValueError: shapes that do not agree, or values outside [0, 1].
    """
    p, y = probabilities_and_labels(probabilities, labels)
    p = np.clip(p, FLOOR, 1 - FLOOR)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def brier(probabilities: ArrayLike, labels: ArrayLike) -> Floats:
    """Expected squared error of each item against one judgment drawn from its label, shape (N,).

    For a soft label y and P(a preferred) p this is y (1 - p)^2 + (1 - y) p^2: least at p = y, and
    equal to the average over single votes.

    Raises:
        ValueError: shapes that do not agree, or values outside [0, 1].
    """
    p, y = probabilities_and_labels(probabilities, labels)
    return np.asarray(y * (1 - p) ** 2 + (1 - y) * p**2)


def probabilities_and_labels(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float vectors of one length within [0, 1].

    Raises:
        ValueError: they are not.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape:
        raise ValueError(f"probabilities and labels have shape (N,); got {p.shape} and {y.shape}.")
    for what, values in (("probabilities", p), ("labels", y)):
        wrong = np.flatnonzero(~((values >= 0) & (values <= 1)))  # NaN is wrong too
        if len(wrong):
            raise ValueError(f"{what} lie in [0, 1]; got {values[wrong[0]]} at {wrong[0]}.")
    return p, y
