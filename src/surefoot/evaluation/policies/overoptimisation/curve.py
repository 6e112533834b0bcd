"""Over-optimisation under best-of-n: what the gold reward does while the proxy's grows.

Of N responses that a policy wrote to a prompt, best-of-n takes the one of highest proxy among n.
The mean over all subsets of n is known without drawing any. With the responses in ascending order
of the proxy and g_(i) the gold reward of the i-th,

    G(n) = sum_i C(i - 1, n - 1) / C(N, n) g_(i),

since the i-th is the best in C(i - 1, n - 1) of the C(N, n) subsets. Responses of equal proxy share
their gold reward, as if drawn among. The distance from the policy is

    KL(n) = log n - (n - 1) / n,

exact where the proxy has no ties, and otherwise an upper bound (Gao et al., 2210.10760).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import gammaln

from surefoot.arrays import ArrayLike, Floats, Ints
from surefoot.errors import DataError
from surefoot.evaluation.policies.overoptimisation.law import Law, fit_law
from surefoot.statistics import Comparison, Estimate, hierarchical, hierarchical_difference
from surefoot.statistics.estimate import fields_ready, json_ready
from surefoot.statistics.ties import TIE, groups_of_equals

_COVERS = "prompts"


def kl_of_best_of(n: ArrayLike) -> Floats:
    """KL(n) in nats, in the shape of n >= 1.

    >>> [round(float(kl), 4) for kl in kl_of_best_of([1, 2, 16])]
    [0.0, 0.1931, 1.8351]
    """
    counts = np.asarray(n, dtype=np.float64)
    return np.asarray(np.log(counts) - (counts - 1) / counts)


def best_of_n(proxy: ArrayLike, gold: ArrayLike, n: Sequence[int]) -> Floats:
    """G(n), the expected gold reward of the best of n by proxy, for each of T sizes n, shape (T,).

    Of N rewards that choose and N that are wanted; the proxy as its own gold gives its own curve.

    >>> best_of_n([0.0, 1.0, 2.0], [5.0, 7.0, 6.0], [1, 2, 3]).round(4).tolist()
    [6.0, 6.3333, 6.0]
    """
    chooses, wanted = np.asarray(proxy, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    tied = groups_of_equals(chooses)
    counts = np.bincount(tied)
    shared = np.bincount(tied, wanted) / counts  # in ascending order of the proxy
    ordered = np.repeat(shared, counts)
    return np.array([_shares(len(ordered), size) @ ordered for size in n])


def _shares(total: int, n: int) -> Floats:
    """Share of the subsets of n in which each of all ranks is the highest, shape (N,)."""

    def log_choose(of: Ints, k: int) -> Floats:
        return np.asarray(gammaln(of + 1) - gammaln(k + 1) - gammaln(of - k + 1))

    possible = np.arange(n, total + 1)
    logs = log_choose(possible - 1, n - 1) - log_choose(np.array(total), n)
    return np.concatenate([np.zeros(n - 1), np.exp(logs)])


def sizes_up_to(total: int) -> list[int]:
    """1, 2, 4, ... and the total itself: where the curve is shown.

    >>> sizes_up_to(12)
    [1, 2, 4, 8, 12]
    """
    doubled = [2**k for k in range(total.bit_length()) if 2**k <= total]
    return doubled if doubled[-1] == total else [*doubled, total]


@dataclass(frozen=True)
class Curve:
    """Proxy and gold rewards of best-of-n, less those of one response.

    Both are in units of their own deviation between two responses to one prompt, so that they can
    be drawn on one axis.
    """

    n: tuple[int, ...]  #: T sizes
    kl: tuple[float, ...]  #: T distances in nats
    proxy: tuple[Estimate, ...]  #: T gains
    gold: tuple[Estimate, ...]  #: T gains
    #: fitted to the gold gains at n up to half of the responses; None below eight of them
    law: Law | None
    prompts: int
    responses: int
    most: int  #: responses of the prompt that has most; the curve ends at the fewest
    seeds: int  #: number of proxies
    gold_unit: float  #: of the gold gains, in the gold's own unit
    proxy_unit: tuple[float, ...]  #: the same for each proxy
    tied: float  #: share of neighbouring responses, in order of the proxy, with the same proxy
    gold_gains: tuple[Floats, ...] = field(repr=False)
    clusters: Ints = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        left = ("proxy", "gold", "most", "gold_gains", "clusters")
        return fields_ready(self, *left) | {
            "proxy_gain": json_ready(self.proxy),
            "gold_gain": json_ready(self.gold),
            "most_responses": self.most,
        }


def best_of_n_curve(
    proxies: Sequence[Sequence[ArrayLike]],
    gold: Sequence[ArrayLike],
    prompts: ArrayLike | None = None,
    level: float = 0.95,
) -> Curve:
    """The curve of S proxies (seeds of one method) on the same responses.

    Args:
        proxies: of each seed, the rewards (N_p,) of the responses to each of P prompts.
        gold: the gold rewards of the same.
        prompts: (P,) ids, which intervals take as clusters. None: each is its own.
        level: nominal coverage.

    Returns:
        Gains up to the fewest responses that a prompt has. Intervals cover prompts, and with
        several proxies seeds too. That there is one draw of responses to each prompt is in them.

    Raises:
        DataError: shapes that do not agree, a reward that is not finite, fewer than two responses,
            or rewards that are all the same.
    """
    wanted = [np.asarray(one, dtype=np.float64) for one in gold]
    seeds = [[np.asarray(one, dtype=np.float64) for one in rewards] for rewards in proxies]
    _check(seeds, wanted)
    ids = np.arange(len(wanted)) if prompts is None else np.asarray(prompts)
    fewest = min(len(one) for one in wanted)
    n = sizes_up_to(fewest)
    kl = kl_of_best_of(n)
    gold_unit = _unit("the gold reward", wanted)
    units = tuple(_unit(f"proxy {k}", rewards) for k, rewards in enumerate(seeds))
    proxy_gains, gold_gains = [], []
    for rewards, unit in zip(seeds, units, strict=True):
        own = np.array([best_of_n(r, r, n) for r in rewards]) / unit
        got = np.array([best_of_n(r, g, n) for r, g in zip(rewards, wanted, strict=True)])
        proxy_gains.append(own - own[:, :1])
        gold_gains.append((got - got[:, :1]) / gold_unit)
    fitted = np.flatnonzero((np.array(n) > 1) & (np.array(n) <= fewest // 2))
    law = None
    if len(fitted) > 1:
        found = [gains[:, fitted] for gains in gold_gains]
        law = fit_law(kl[fitted], found, "best-of-n", ids, level, _COVERS)
    return Curve(
        n=tuple(n),
        kl=tuple(kl.tolist()),
        proxy=_over_seeds(proxy_gains, ids, level),
        gold=_over_seeds(gold_gains, ids, level),
        law=law,
        prompts=len(np.unique(ids)),
        responses=sum(map(len, wanted)),
        most=max(map(len, wanted)),
        seeds=len(seeds),
        gold_unit=gold_unit,
        proxy_unit=units,
        tied=float(np.mean([_share_of_ties(r) for s in seeds for r in s])),
        gold_gains=tuple(gold_gains),
        clusters=ids,
    )


def compare_curves(curve: Curve, baseline: Curve, level: float = 0.95) -> list[Comparison]:
    """Gold reward of one method's best-of-n less another's, for each n, seed by seed.

    Raises:
        DataError: they are not on the same prompts, or have not as many seeds.
    """
    if curve.n != baseline.n or not np.array_equal(curve.clusters, baseline.clusters):
        raise DataError("two curves are compared on the same responses to the same prompts.")
    if curve.seeds != baseline.seeds:
        raise DataError(
            f"two methods are compared with as many seeds; got {curve.seeds} and {baseline.seeds}."
        )
    return [
        hierarchical_difference(
            [gains[:, t] for gains in curve.gold_gains],
            [gains[:, t] for gains in baseline.gold_gains],
            curve.clusters,
            level,
            _COVERS,
        )
        for t in range(len(curve.n))
    ]


def _over_seeds(gains: Sequence[Floats], ids: Ints, level: float) -> tuple[Estimate, ...]:
    nothing = Estimate(0.0, 0.0, 0.0, n=len(ids), covers=_COVERS, level=level)  # by definition
    columns = range(1, gains[0].shape[1])
    gained = (hierarchical([one[:, t] for one in gains], ids, level, _COVERS) for t in columns)
    return (nothing, *gained)


def _share_of_ties(rewards: Floats) -> float:
    """Share of neighbours, in order of a reward, that are equal."""
    return 1 - int(groups_of_equals(rewards).max()) / (len(rewards) - 1)


def _unit(name: str, rewards: Sequence[Floats]) -> float:
    """Deviation of a reward between responses to one prompt."""
    unit = math.sqrt(float(np.mean([one.var(ddof=1) for one in rewards])))
    if unit <= TIE * max(float(np.abs(one).max()) for one in rewards):
        raise DataError(f"{name} is the same for all responses to each prompt: nothing to choose.")
    return unit


def _check(seeds: Sequence[Sequence[Floats]], gold: Sequence[Floats]) -> None:
    if not gold or not seeds:
        raise DataError("there are no responses to choose from.")
    for k, rewards in enumerate([*seeds, gold]):
        name = "the gold reward" if k == len(seeds) else f"proxy {k}"
        if [one.shape for one in rewards] != [one.shape for one in gold]:
            raise DataError(f"{name} and the gold reward are not of the same responses.")
        for place, one in enumerate(rewards):
            if len(one) < 2:
                raise DataError(f"prompt {place} has {len(one)} response(s): best-of-n needs two.")
            if not np.isfinite(one).all():
                raise DataError(f"{name} is not finite for a response to prompt {place}.")
