"""The law of over-optimisation: Gao, Schulman and Hilton, 2210.10760.

With d = sqrt(KL) from the initial policy and R the gold reward less the initial policy's,

    best-of-n    R(d) = d (alpha - beta d),        which peaks at d = alpha / (2 beta)
    training     R(d) = d (alpha - beta log d),    which peaks at d = exp(alpha / beta - 1)

Both are linear in alpha and beta, so least squares over the points of a curve is one linear map of
the curve, and the fit to a mean curve is the mean of the fits to each prompt's: its intervals are
those of a mean. The same holds for the slope dR/dd at the last point. Nothing is said beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from surefoot.arrays import ArrayLike, Floats
from surefoot.errors import DataError
from surefoot.statistics.estimate import Estimate, fields_ready
from surefoot.statistics.seeds import hierarchical

By = Literal["best-of-n", "training"]


@dataclass(frozen=True)
class Law:
    """A fitted law."""

    by: By  #: what moved the policy
    alpha: Estimate
    beta: Estimate  #: above 0 it bends the curve down
    slope: Estimate  #: dR/dd at the last point: below 0, more of it costs gold reward
    last: float  #: d there, in root nats
    #: share of the mean curve's squares (about 0) that the law explains; None for two points,
    #: through which it goes whatever they are
    r2: float | None
    points: int  #: of the curve that were fitted

    @property
    def peak(self) -> float | None:
        """D at which the law is highest; None where it does not bend down."""
        alpha, beta = self.alpha.estimate, self.beta.estimate
        if alpha is None or beta is None or beta <= 0 or (self.by == "best-of-n" and alpha <= 0):
            return None
        return alpha / (2 * beta) if self.by == "best-of-n" else math.exp(alpha / beta - 1)

    def at(self, kl: ArrayLike) -> Floats:
        """R at some distances in nats; not meant beyond the last point."""
        design = terms(kl, self.by)
        return np.asarray(design @ [self.alpha.estimate or 0.0, self.beta.estimate or 0.0])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        ends = {"slope_at_the_end": self.slope.to_dict(), "end": self.last, "peak": self.peak}
        return fields_ready(self, "slope", "last") | ends


def terms(kl: ArrayLike, by: By) -> Floats:
    """What alpha and beta are multiplied with at T distances in nats, shape (T, 2)."""
    d = np.sqrt(np.asarray(kl, dtype=np.float64))
    bend = d if by == "best-of-n" else np.log(np.where(d > 0, d, 1.0))
    return np.stack([d, -d * bend], axis=-1)


def slopes(d: float, by: By) -> Floats:
    """The derivatives of both terms in d, shape (2,)."""
    return np.array([1.0, -2 * d] if by == "best-of-n" else [1.0, -math.log(d) - 1])


def fit_law(
    kl: ArrayLike,
    gains: Sequence[ArrayLike],
    by: By,
    clusters: ArrayLike | Sequence[ArrayLike] | None = None,
    level: float = 0.95,
    covers: str = "prompts",
) -> Law:
    """Fit the law by least squares, with intervals over prompts and seeds.

    Args:
        kl: T distances above 0 in nats, the same for all seeds.
        gains: of each of S seeds, the gold reward of U units at these, less the initial policy's,
            shape (U, T).
        by: which law.
        clusters: (U,) ids of the units; or of each seed, where each has its own.
        level: nominal coverage.
        covers: what the units are.

    Raises:
        DataError: fewer than two different distances, or shapes that do not agree.
    """
    at = np.asarray(kl, dtype=np.float64)
    curves = [np.asarray(one, dtype=np.float64) for one in gains]
    if (at <= 0).any() or len(np.unique(at)) < 2:
        raise DataError(
            "the law needs two different distances above 0 (best-of-n: eight responses to each "
            f"prompt); got {at.tolist()}."
        )
    if not curves or any(one.ndim != 2 or one.shape[1] != len(at) for one in curves):
        raise DataError(f"gains have shape (units, {len(at)}); got {[c.shape for c in curves]}.")
    design = terms(at, by)
    solve = np.linalg.pinv(design)  # (2, T)
    last = float(np.sqrt(at.max()))

    def over(row: Floats) -> Estimate:
        with np.errstate(over="ignore"):  # refused there, by name
            found = [one @ row for one in curves]
        return hierarchical(found, clusters, level, covers)

    unit = max(float(np.abs(one).max(initial=0.0)) for one in curves) or 1.0
    mean = np.mean([(one / unit).mean(0) for one in curves], axis=0)
    left = mean - design @ (solve @ mean)
    total = float(mean @ mean)
    return Law(
        by=by,
        alpha=over(solve[0]),
        beta=over(solve[1]),
        slope=over(slopes(last, by) @ solve),
        last=last,
        r2=None if len(np.unique(at)) < 3 else 1 - float(left @ left) / total if total > 0 else 0.0,
        points=len(at),
    )
