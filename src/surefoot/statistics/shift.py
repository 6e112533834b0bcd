"""How far one histogram lies from another, in the units of the balls that a risk is taken over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from surefoot.statistics.estimate import Estimate

Floats = npt.NDArray[np.float64]

_DRAWS = 2000
_COVERS = "prompts of both sides"


def total_variation(q: Floats, p: Floats) -> Floats:
    """1/2 sum_u |q_u - p_u| (...), of shares (..., U): in [0, 1]."""
    return np.abs(q - p).sum(-1) / 2


def chi_squared(q: Floats, p: Floats) -> Floats:
    """sum_u p_u (q_u / p_u - 1)^2 / 2 (...), of shares (..., U); infinite where p lacks a unit."""
    return _sum_over(p, q, lambda ratio: (ratio - 1) ** 2 / 2)


def kl(q: Floats, p: Floats) -> Floats:
    """sum_u q_u log(q_u / p_u) (...) in nats, of shares (..., U); infinite where p lacks a unit."""
    return _sum_over(p, q, lambda ratio: ratio * np.log(np.where(ratio > 0, ratio, 1)))


def largest_share(q: Floats, p: Floats) -> Floats:
    """min_u p_u / q_u (...), of shares (..., U): the lowest CVaR level whose ball holds q."""
    ratio = np.divide(p, q, out=np.full(np.broadcast_shapes(p.shape, q.shape), np.inf), where=q > 0)
    return ratio.min(-1)


def _sum_over(p: Floats, q: Floats, of: Callable[[Floats], Floats]) -> Floats:
    ratio = np.divide(q, p, out=np.zeros(np.broadcast_shapes(p.shape, q.shape)), where=p > 0)
    found = (p * of(ratio)).sum(-1)
    return np.where(((p == 0) & (q > 0)).any(-1), np.inf, found)


#: Distances by the kind of risk whose ball they are the radius of (for CVaR, the level).
DISTANCES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "tv": total_variation,
    "chi-squared": chi_squared,
    "kl": kl,
    "cvar": largest_share,
}


@dataclass(frozen=True)
class Shift:
    """From the shares of units in one sample of prompts to those in another.

    Attributes:
        before, after: (U,) shares of the units.
        distances: by kind of ball. Estimates of sampled histograms lie too far apart: compare with
            `by_chance`.
        by_chance: what samples of these sizes from one law lie apart, in the middle of the draws.
        p_value: how often one law gives a total variation this large or larger.
        unseen: share of the second sample in units that the first one lacks.
    """

    before: Floats
    after: Floats
    distances: dict[str, Estimate]
    by_chance: dict[str, float]
    p_value: float
    unseen: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; distances that are infinite are null."""
        return {
            "distances": {
                kind: {k: _finite(v) for k, v in one.to_dict().items()}
                for kind, one in self.distances.items()
            },
            "by_chance": {kind: _finite(value) for kind, value in self.by_chance.items()},
            "p_value": self.p_value,
            "unseen": self.unseen,
            "before": self.before.tolist(),
            "after": self.after.tolist(),
        }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def shift(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    units: int,
    seed: int = 0,
    level: float = 0.95,
    pairs: npt.ArrayLike | None = None,
) -> Shift:
    """Compare two samples of independent prompts by the units that they fall into.

    Intervals are of a bootstrap over prompts. Sampling adds to every distance, and resampling adds
    once more: upper ends are on the safe side, lower ends are not. What chance gives, and the
    p-value, are of prompts that count once each.

    Args:
        before: (N,) the unit of each training prompt, in [0, units).
        after: (M,) the same of the prompts of deployment.
        units: how many there are.
        pairs: (N,) how many pairs each training prompt has: a risk weighs units by these.
        seed: of the draws.
        level: of the intervals.
    """
    own, theirs = np.asarray(before), np.asarray(after)
    counts = np.ones(len(own), dtype=np.int64) if pairs is None else np.asarray(pairs)
    first, second = (np.bincount(side, minlength=units) for side in (own, theirs))
    n, m = len(own), len(theirs)
    p = np.bincount(own, counts, units) / counts.sum()
    q = second / m
    rng = np.random.default_rng(seed)
    # Prompts of one unit with as many pairs are drawn together.
    kinds, sizes = np.unique(np.stack([own, counts]), axis=1, return_counts=True)
    drawn = rng.multinomial(n, sizes / n, _DRAWS) * kinds[1]
    in_unit = kinds[0][:, None] == np.arange(units)
    ps = drawn @ in_unit / drawn.sum(1, keepdims=True)
    qs = rng.multinomial(m, q, _DRAWS) / m
    alike = rng.multivariate_hypergeometric(first + second, n, _DRAWS)
    null_p, null_q = alike / n, (first + second - alike) / m
    tail = [(1 - level) / 2, (1 + level) / 2]
    distances = {}
    for kind, of in DISTANCES.items():
        low, high = np.quantile(of(qs, ps), tail, method="closest_observation")
        value = float(of(q, p))
        low, high = min(float(low), value), max(float(high), value)
        distances[kind] = Estimate(value, low, high, n=n + m, covers=_COVERS, level=level)
    null = {kind: of(null_q, null_p) for kind, of in DISTANCES.items()}
    as_far = null["tv"] >= total_variation(q, first / n) - 1e-12
    return Shift(
        p,
        q,
        distances,
        {kind: float(np.median(values)) for kind, values in null.items()},
        float((1 + as_far.sum()) / (1 + _DRAWS)),
        float(q[p == 0].sum()),
    )
